import { inTerminal } from './desktop.js';
import {
  click,
  drag,
  key,
  line,
  repeat,
  settle,
  think,
  type Session,
  type Step,
} from './script.js';

/** Lines of the index page's list of links, from the top. */
const follow = (link: number): readonly Step[] => [click(100, 427 + 22 * link), settle(40, 1.5)];
const back: readonly Step[] = [key('Left', 'AltLeft'), settle(30)];

/** Opens the browser, reads three pages to their end and goes back each time; the browser stays open. */
export const desktopBrowse: Session = {
  name: 'desktop-browse',
  guest: 'desktop',
  title: 'a browser: pages with pictures, links, scrolling, going back',
  seed: 4005,
  steps: [
    think(1),
    inTerminal,
    think(0.8),
    ...line('netsurf-gtk pages/index.html &'),
    settle(90, 4),
    ...[0, 2, 4].flatMap((link) => [
      ...follow(link),
      think(3),
      ...repeat(3, key('PageDown')),
      think(3),
      key('PageUp'),
      think(1.5),
      ...back,
      think(1),
    ]),
    ...follow(1),
    think(2),
    settle(),
  ],
};

/** Opens a picture, draws on it, inverts it and takes that back, and saves. */
export const desktopPaint: Session = {
  name: 'desktop-paint',
  guest: 'desktop',
  title: 'a paint program: strokes on a picture, an effect, undo, saving',
  seed: 4006,
  steps: [
    think(1),
    inTerminal,
    think(0.8),
    ...line('mtpaint pages/quay.png &'),
    settle(90, 4),
    drag([330, 250], [360, 210], [400, 250], [440, 205], [470, 250]),
    think(1.5),
    drag([330, 330], [420, 300], [520, 335], [590, 310]),
    think(1.5),
    key('i', 'ControlLeft'),
    settle(30),
    think(1.5),
    key('z', 'ControlLeft'),
    settle(30),
    drag([500, 200], [520, 180], [540, 200], [520, 220], [500, 200]),
    think(1.5),
    key('s', 'ControlLeft'),
    settle(30),
    think(1),
  ],
};

/** Installs a package as root and uses it. */
export const desktopInstall: Session = {
  name: 'desktop-install',
  guest: 'desktop',
  title: 'installing a package, then using it',
  seed: 4007,
  steps: [
    think(1),
    inTerminal,
    think(0.8),
    ...line('doas dpkg -i figlet.deb'),
    settle(120, 3),
    think(1),
    ...line('dpkg -L figlet | tail -5'),
    settle(30),
    think(1),
    ...line('clear; figlet reprise'),
    settle(30),
    think(1.5),
    ...line('figlet -f slant harbour > sign; cat sign'),
    settle(30),
    ...line('sync'),
    settle(30),
    think(1),
  ],
};
