import type { TileRect } from '@reprise/core';

import {
  desktopBrowse,
  desktopEdit,
  desktopIdle,
  desktopInstall,
  desktopMixed,
  desktopPaint,
  desktopTerminal,
  tinyShell,
  type Session,
} from '../session/index.js';
import { click, key, line, settle, think, type } from '../session/script.js';

/** A session whose replay must end as it did. */
export interface FidelitySession {
  readonly session: Session;
  /** What must be the same in its files, asked in the guest. */
  readonly files: readonly FileCheck[];
  /** Parts of the last screen that no two runs of the session need have in common. */
  readonly masked: readonly MaskedArea[];
  /** How to come to a shell's prompt; absent where the guest has nothing else. */
  readonly prompt?: Prompt;
}

export interface Prompt {
  /** Where to click. */
  readonly x: number;
  readonly y: number;
  /** The session leaves a program before it, which goes with Ctrl-Q. */
  readonly covered?: true;
}

export interface FileCheck {
  readonly what: string;
  /** Typed at the prompt, in the home directory; its answer must be the same. */
  readonly command: string;
}

/** In tiles of 32 x 32 pixels. */
export interface MaskedArea {
  readonly tiles: TileRect;
  readonly why: string;
}

const file = (path: string): FileCheck => ({ what: path, command: `sha256sum ${path}` });
/** What is in an archive, names and content; when it was packed is left out. */
const archive = (path: string): FileCheck => ({
  what: `what is in ${path}`,
  command: `tar tf ${path} | sha256sum; tar xOf ${path} | sha256sum`,
});

const inTerminal = click(400, 450);

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

/** The same on a desktop: a build runs, and its user types on, first blindly, then into an editor that is not there yet. */
const desktopTypeahead: Session = {
  name: 'desktop-typeahead',
  guest: 'desktop',
  title: 'typing the next commands in a terminal while make still runs',
  seed: 6004,
  steps: [
    think(1),
    inTerminal,
    think(0.8),
    ...line('tar xzf mill.tar.gz; cd mill; clear'),
    settle(),
    ...line('make > log 2>&1'),
    think(2),
    ...line('./mill 12 > twelve'),
    type('sort twelve > sorted; '),
    think(1),
    ...line('wc -l log > lines'),
    ...line('vi plan.txt'),
    type('GoTyped before the compiler was done.'),
    key('Escape'),
    settle(300, 2.5),
    think(6),
    ...line(':wq'),
    settle(),
    think(8),
    ...line('clear; cat lines plan.txt; sync'),
    settle(),
    think(12),
  ],
};

/** And a program that is slow to ask, and its user slow to answer. */
const desktopSlowProgram: Session = {
  name: 'desktop-slow-program',
  guest: 'desktop',
  title: 'a slow program in a terminal, and long thought before each answer',
  seed: 6005,
  steps: [
    think(1),
    inTerminal,
    think(0.8),
    ...line('clear; sleep 5; read -p "name? " n; echo $n > name'),
    settle(30, 6),
    think(6),
    ...line('Ada'),
    think(4),
    ...line('sleep 4; sha256sum report.txt > sum; cat sum'),
    settle(30, 5),
    think(8),
    ...line('clear; cat name sum > both; cat both; sync'),
    settle(),
    think(8),
  ],
};

const onDesktop = { prompt: { x: 400, y: 450 } };
const behindProgram: { readonly prompt: Prompt } = { prompt: { x: 400, y: 450, covered: true } };

const writtenInEditor = [file('report.txt')];
const builtInTerminal = [
  ...['numbers', 'mill/main.c', 'mill/mill', 'mill/stage00.o'].map(file),
  archive('mill-new.tgz'),
];
const installed = [
  file('sign'),
  { what: 'the installed package', command: 'dpkg -s figlet | sha256sum' },
];

export const fidelitySessions: readonly FidelitySession[] = [
  {
    session: tinyShell,
    files: [...['letter.txt', 'numbers', 'sorted1', 'sorted5'].map(file), archive('pack.tgz')],
    masked: [],
  },
  {
    session: tinyTypeahead,
    files: ['counted', 'numbers', 'sorted', 'count', 'letter.txt'].map(file),
    masked: [],
  },
  { session: tinySlowProgram, files: ['name', 'sum', 'both'].map(file), masked: [] },
  { ...onDesktop, session: desktopEdit, files: writtenInEditor, masked: [] },
  { ...onDesktop, session: desktopTerminal, files: builtInTerminal, masked: [] },
  {
    ...onDesktop,
    session: desktopTypeahead,
    files: ['mill/mill', 'mill/twelve', 'mill/sorted', 'mill/lines', 'mill/plan.txt'].map(file),
    masked: [],
  },
  {
    ...onDesktop,
    session: desktopSlowProgram,
    files: ['name', 'sum', 'both'].map(file),
    masked: [],
  },
  { ...onDesktop, session: desktopInstall, files: installed, masked: [] },
  {
    ...behindProgram,
    session: desktopBrowse,
    files: [{ what: 'the names in the home directory', command: 'ls -A | sha256sum' }],
    masked: [],
  },
  { ...behindProgram, session: desktopPaint, files: [file('pages/quay.png')], masked: [] },
  { ...onDesktop, session: desktopIdle, files: [file('report.txt')], masked: [] },
  {
    ...behindProgram,
    session: desktopMixed,
    files: [...writtenInEditor, ...builtInTerminal, ...installed],
    masked: [],
  },
];
