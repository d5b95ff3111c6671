import { inEditor, inTerminal } from './desktop.js';
import { key, line, settle, think, type, type Session, type Step } from './script.js';

/** What the server of this session answers with; see `virtual/web-server.ts`. */
export const fetchedFiles = { page: 'page.html', archive: 'archive.bin' } as const;

/** The user network's gateway: the host's loopback, seen from the guest. */
const GATEWAY = '10.0.2.2';

/** A person fetches a page and an archive from a server of the host, looks at both, and notes it. */
export function desktopFetch(port: number): Session {
  return {
    name: 'desktop-fetch',
    guest: 'desktop',
    title: 'fetching a page and an archive, and noting it',
    seed: 4011,
    steps: fetchSteps(port),
  };
}

export function fetchSteps(port: number): readonly Step[] {
  const address = `http://${GATEWAY}:${String(port)}`;
  return [
    think(1),
    inTerminal,
    think(0.8),
    ...line(`cd; busybox wget -O ${fetchedFiles.page} ${address}/${fetchedFiles.page}`),
    settle(60),
    ...line(`wc ${fetchedFiles.page}; grep -c 7 ${fetchedFiles.page}`),
    settle(),
    think(4),
    ...line(`busybox wget -O ${fetchedFiles.archive} ${address}/${fetchedFiles.archive}`),
    settle(120),
    ...line(`md5sum ${fetchedFiles.archive}; ls -l`),
    settle(),
    think(3),
    inEditor,
    think(1),
    key('End', 'ControlLeft'),
    key('Return'),
    type('The archive came over the wire; its copy over there is not to come again.'),
    key('Return'),
    think(2),
    type('A page that was read once is read once more, from the log.'),
    think(1),
    key('s', 'ControlLeft'),
    think(4),
    inTerminal,
    ...line('sync; rm archive.bin; ls'),
    settle(),
  ];
}
