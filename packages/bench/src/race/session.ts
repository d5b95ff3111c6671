import { line, settle, think, type Session } from '../session/script.js';

/**
 * Some seconds of work whose result does not compress: on a thin link it takes far longer to ship than to do again. And a
 * user who takes a while over it.
 */
export const tinyArchive: Session = {
  name: 'tiny-archive',
  guest: 'tiny',
  title: 'making archives that do not compress',
  seed: 6003,
  steps: [
    ...line('cd; seq 1 250000 | gzip -c > a.gz'),
    settle(60, 2),
    think(2),
    ...line('seq 250001 450000 | gzip -c > b.gz; ls -l'),
    settle(60, 2),
    think(3),
    ...line('cat a.gz b.gz | md5sum; sync'),
    settle(60, 2),
    think(3),
  ],
};
