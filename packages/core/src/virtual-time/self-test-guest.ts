/**
 * The guest of the self-test: a boot sector that the firmware loads. For ever, it mixes the time stamp
 * counter, the firmware's tick count and what is typed into a table in memory, writes pieces of the table all
 * over its disk, and idles between: whatever a host could make differ ends up in memory and on the disk.
 */

// prettier-ignore
const program = Buffer.from([
  0xfa,                                                        // cli
  0x31, 0xc0,                                                  // xor ax,ax
  0x8e, 0xd8,                                                  // mov ds,ax
  0x8e, 0xd0,                                                  // mov ss,ax
  0xbc, 0x00, 0x7c,                                            // mov sp,0x7c00
  0xfb,                                                        // sti
  0xb8, 0x03, 0x00,                                            // mov ax,0x3
  0xcd, 0x10,                                                  // int 0x10
  0xb8, 0x00, 0x10,                                            // mov ax,0x1000
  0x8e, 0xc0,                                                  // mov es,ax
  0x31, 0xff,                                                  // xor di,di
  0x66, 0xbd, 0xb9, 0x79, 0x37, 0x9e,                          // mov ebp,0x9e3779b9
  0x0f, 0x31,                                                  // again: rdtsc
  0x66, 0x31, 0xc5,                                            // xor ebp,eax
  0x66, 0x33, 0x2e, 0x6c, 0x04,                                // xor ebp,[0x46c]
  0x66, 0x89, 0xe8,                                            // mov eax,ebp
  0x66, 0xc1, 0xe0, 0x0d,                                      // shl eax,0xd
  0x66, 0x31, 0xc5,                                            // xor ebp,eax
  0x66, 0x89, 0xe8,                                            // mov eax,ebp
  0x66, 0xc1, 0xe8, 0x11,                                      // shr eax,0x11
  0x66, 0x31, 0xc5,                                            // xor ebp,eax
  0x66, 0x89, 0xe8,                                            // mov eax,ebp
  0x66, 0xc1, 0xe0, 0x05,                                      // shl eax,0x5
  0x66, 0x31, 0xc5,                                            // xor ebp,eax
  0x26, 0x66, 0x89, 0x2d,                                      // mov es:[di],ebp
  0x83, 0xc7, 0x04,                                            // add di,0x4
  0xf7, 0xc7, 0x3f, 0x00,                                      // test di,0x3f
  0x75, 0xcb,                                                  // jne again
  0xb4, 0x01,                                                  // mov ah,0x1
  0xcd, 0x16,                                                  // int 0x16
  0x74, 0x11,                                                  // je no_key
  0xb4, 0x00,                                                  // mov ah,0x0
  0xcd, 0x16,                                                  // int 0x16
  0x31, 0xc5,                                                  // xor bp,ax
  0xb4, 0x0e,                                                  // mov ah,0xe
  0x66, 0x55,                                                  // push ebp
  0xbb, 0x07, 0x00,                                            // mov bx,0x7
  0xcd, 0x10,                                                  // int 0x10
  0x66, 0x5d,                                                  // pop ebp
  0xf7, 0xc7, 0xff, 0x3f,                                      // no_key: test di,0x3fff
  0x75, 0xae,                                                  // jne again
  0x66, 0x55,                                                  // push ebp
  0x66, 0xff, 0x06, 0x9c, 0x7c,                                // inc [lba]
  0x66, 0x81, 0x26, 0x9c, 0x7c, 0xff, 0x03, 0x00, 0x00,        // and [lba],0x3ff
  0x66, 0x83, 0x0e, 0x9c, 0x7c, 0x08,                          // or [lba],0x8
  0xbe, 0x94, 0x7c,                                            // mov si,packet
  0xb8, 0x00, 0x43,                                            // mov ax,0x4300
  0xb2, 0x80,                                                  // mov dl,0x80
  0xcd, 0x13,                                                  // int 0x13
  0x66, 0x5d,                                                  // pop ebp
  0xf4,                                                        // hlt
  0xeb, 0x89,                                                  // jmp again
  0x10, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x10,             // packet: 4 sectors from 1000:0000 …
  0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,             // lba: … to here
]);

export const SELF_TEST_DISK_BYTES = 1024 * 1024;
export const SELF_TEST_MEMORY_MIB = 16;

const SECTOR_BYTES = 512;

/** The guest's disk: its boot sector, and room to write. */
export function selfTestDisk(): Buffer {
  const disk = Buffer.alloc(SELF_TEST_DISK_BYTES);
  program.copy(disk);
  disk.writeUInt16LE(0xaa55, SECTOR_BYTES - 2);
  return disk;
}
