import { key, line, settle, think, type, type Session } from './script.js';

/** A shell session: look around, write a note in vi, make and pack some files. */
export const tinyShell: Session = {
  name: 'tiny-shell',
  guest: 'tiny',
  title: 'a shell session: vi, tar, a loop',
  seed: 2008,
  steps: [
    ...line('cd; ls -l'),
    think(1),
    ...line('cat notes.txt'),
    think(2),
    ...line('vi letter.txt'),
    think(1),
    type('Go'),
    type('This line was typed on one host and read on another.'),
    key('Return'),
    type('Only what the machines could not guess has travelled.'),
    think(0.8),
    key('Escape'),
    think(0.6),
    ...line(':wq'),
    think(0.8),
    ...line('seq 1 3000 > numbers; wc numbers'),
    settle(),
    ...line('for i in 1 2 3 4 5; do sort -r numbers > sorted$i; done; ls -l'),
    settle(),
    think(1),
    ...line('tar czf pack.tgz letter.txt numbers sorted*; ls -l pack.tgz'),
    settle(),
    think(1),
    ...line('md5sum sorted* | head -3; sync'),
    settle(),
  ],
};

/** Half a minute of work, for the demo: an editor, some files, an archive. */
export const tinyVisit: Session = {
  name: 'tiny-visit',
  guest: 'tiny',
  title: 'a note in vi, some files, an archive',
  seed: 2010,
  steps: [
    ...line('vi letter.txt'),
    think(1),
    type('GoTyped on one host, read on another.'),
    key('Escape'),
    think(0.6),
    ...line(':wq'),
    think(0.8),
    ...line('seq 1 3000 > n; sort -r n > m; wc m'),
    settle(),
    ...line('tar czf p.tgz n m; ls -l'),
    settle(),
    ...line('md5sum n m; sync'),
    settle(),
  ],
};

/** What the user of the demo does after arriving: proof that typing goes on working. */
export const tinyHomecoming: Session = {
  name: 'tiny-homecoming',
  guest: 'tiny',
  title: 'looking at what arrived, and leaving a line',
  seed: 2011,
  steps: [
    ...line('tail -1 letter.txt; tar tzf p.tgz'),
    settle(),
    ...line('rm m; echo back home >> todo.txt'),
    think(0.8),
    ...line('cat todo.txt; sync'),
    settle(),
  ],
};
