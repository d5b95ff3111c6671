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
