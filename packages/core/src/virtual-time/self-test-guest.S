# The boot sector of self-test-guest.ts, for GNU as; a test assembles it and compares.
.intel_syntax noprefix
.code16
.globl _start
_start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    sti
    mov ax, 0x3                 # text mode
    int 0x10
    mov ax, 0x1000              # the table: 64 KiB from here
    mov es, ax
    xor di, di
    mov ebp, 0x9e3779b9
again:                          # mix clocks into ebp, and put it into the table
    rdtsc
    xor ebp, eax
    xor ebp, dword ptr ds:[0x46c]   # the firmware's tick count
    mov eax, ebp
    shl eax, 13
    xor ebp, eax
    mov eax, ebp
    shr eax, 17
    xor ebp, eax
    mov eax, ebp
    shl eax, 5
    xor ebp, eax
    mov dword ptr es:[di], ebp
    add di, 4
    test di, 0x3f
    jne again
    mov ah, 1                   # a key?
    int 0x16
    je no_key
    mov ah, 0
    int 0x16
    xor bp, ax
    mov ah, 0xe                 # show it
    push ebp
    mov bx, 7
    int 0x10
    pop ebp
no_key:
    test di, 0x3fff
    jne again
    push ebp                    # now and then: a piece of the table to the disk, never over this sector
    inc dword ptr [lba]
    and dword ptr [lba], 0x3ff
    or dword ptr [lba], 8
    mov si, offset packet
    mov ax, 0x4300
    mov dl, 0x80
    int 0x13
    pop ebp
    hlt
    jmp again
packet:
    .byte 16, 0
    .word 4                     # sectors
    .word 0, 0x1000             # from the table
lba:
    .quad 8
