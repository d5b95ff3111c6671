/** The emulator, and the Debian package that brings it. */
export const QEMU_PROGRAM = 'qemu-system-x86_64';
export const QEMU_PACKAGE = 'qemu-system-x86';
