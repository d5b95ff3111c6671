import { desktopEdit, desktopTerminal, tinyShell, type Session } from '../session/index.js';
import { key, line, settle, think, type } from '../session/script.js';

/** A session whose replay must end as it did. */
export interface FidelitySession {
  readonly session: Session;
  /** Paths on the guest's disk whose content must be the same. The session ends with a sync. */
  readonly files: readonly string[];
}

/** The user goes on typing while the machine still works, as people do. */
const tinyTypeahead: Session = {
  name: 'tiny-typeahead',
  guest: 'tiny',
  title: 'typing the next commands while a job still runs',
  seed: 6001,
  steps: [
    ...line('cd; ls'),
    think(2),
    // Some seconds of CPU, with nothing to see.
    ...line('i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo $i > counted'),
    type('seq 1 4000 > numbers; sort -r numbers > sorted; '),
    think(1),
    ...line('wc sorted > count'),
    settle(60, 2),
    think(4),
    ...line('vi letter.txt'),
    think(3),
    type('GoWritten after the job was done, not before.'),
    key('Escape'),
    think(0.8),
    ...line(':wq'),
    think(3),
    ...line('cat counted count; sync'),
    settle(),
    think(4),
  ],
};

/** A program that takes its time without using any CPU, and then wants an answer. */
const tinySlowProgram: Session = {
  name: 'tiny-slow-program',
  guest: 'tiny',
  title: 'a program that is slow to ask, and long thought before each answer',
  seed: 6002,
  steps: [
    ...line('clear; sleep 4; echo -n "name? "; read n; echo "$n" > name'),
    settle(30, 5),
    think(4),
    ...line('Ada'),
    think(3),
    ...line('sleep 3; md5sum notes.txt > sum; cat sum'),
    settle(30, 5),
    think(6),
    ...line('cat name sum > both; sync; cat both'),
    settle(),
    think(5),
  ],
};

const home = (...names: string[]) => names.map((name) => `/home/user/${name}`);

export const fidelitySessions: readonly FidelitySession[] = [
  {
    session: tinyShell,
    files: ['/letter.txt', '/numbers', '/sorted1', '/sorted5'],
  },
  { session: tinyTypeahead, files: ['/counted', '/numbers', '/sorted', '/count', '/letter.txt'] },
  { session: tinySlowProgram, files: ['/name', '/sum', '/both'] },
  { session: desktopEdit, files: home('report.txt') },
  { session: desktopTerminal, files: home('numbers', 'mill/main.c') },
];
