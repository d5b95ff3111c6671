import { desktopTerminal } from '../session/index.js';
import { line, settle, think, type Session } from '../session/script.js';

/**
 * A little work that makes much of what the base does not hold and what does not compress well: on a thin link it takes far
 * longer to ship than to do again. And a user who takes a while over it.
 */
export const tinyCopies: Session = {
  name: 'tiny-copies',
  guest: 'tiny',
  title: 'making files out of programs',
  seed: 6003,
  steps: [
    ...line('cd; ls'),
    think(2),
    ...['b-za', 'c-zab', 'd-zabc', 'e-zabcd', 'f-zabcde'].flatMap((letters, i) => [
      ...line(`tr a-z ${letters} < /bin/busybox > copy${String(i)}`),
      settle(),
      think(1.5),
    ]),
    ...line('sync; ls -l copy*'),
    settle(),
    think(4),
  ],
};

/**
 * An archive is packed once and enciphered eight times, each time another way: some 8 MB that nothing holds and nothing compresses, made
 * within a second each. On a thin link they take minutes to ship.
 */
export const tinyCiphers: Session = {
  name: 'tiny-ciphers',
  guest: 'tiny',
  title: 'packing an archive and enciphering it eight times',
  seed: 6006,
  steps: [
    ...line('cd; clear; gzip -9 < /bin/busybox > pack'),
    settle(60),
    think(2),
    ...Array.from({ length: 8 }, (_, i) => [
      // Each byte becomes another one, by a table that begins somewhere else.
      ...line(
        `tr '\\000-\\377' '\\${octal(16 * i + 7)}-\\377\\000-\\${octal(16 * i + 6)}' < pack > cipher${String(i)}`,
      ),
      settle(),
      think(1.5),
    ]).flat(),
    ...line('sync; wc -c pack cipher*'),
    settle(),
    think(4),
  ],
};

function octal(byte: number): string {
  return byte.toString(8).padStart(3, '0');
}

export const raceSessions: readonly Session[] = [tinyCopies, tinyCiphers, desktopTerminal];

export const raceSessionNames: readonly string[] = raceSessions.map(({ name }) => name);
