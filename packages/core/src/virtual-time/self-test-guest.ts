/**
 * The guest of the self-test: a boot sector that the firmware loads. For ever, it mixes the time stamp
 * counter, the firmware's tick count and what is typed into a table in memory, writes pieces of the table all
 * over its disk, and idles between: whatever a host could make differ ends up in memory and on the disk.
 */

/** self-test-guest.S, assembled. */
const program = Buffer.from(
  [
    'fa31c08ed88ed0bc007cfbb80300cd10b800108ec031ff66bdb979379e0f316631c566332e6c046689e866c1',
    'e00d6631c56689e866c1e8116631c56689e866c1e0056631c52666892d83c704f7c73f0075cbb401cd167411',
    'b400cd1631c5b40e6655bb0700cd10665df7c7ff3f75ae665566ff069c7c6681269c7cff03000066830e9c7c',
    '08be947cb80043b280cd13665df4eb8910000400000000100800000000000000',
  ].join(''),
  'hex',
);

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
