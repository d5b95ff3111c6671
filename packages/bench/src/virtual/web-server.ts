import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { fetchedFiles, SeededRandom } from '../session/index.js';

const PAGE_LINES = 1_500;
const ARCHIVE_BYTES = 256 * 1024;

export interface WebServer extends AsyncDisposable {
  readonly port: number;
}

/** On loopback: a page of text, and an archive that no compressor makes smaller. The same bytes every time. */
export async function startWebServer(): Promise<WebServer> {
  const files = new Map<string, Buffer>([
    [`/${fetchedFiles.page}`, page()],
    [`/${fetchedFiles.archive}`, archive()],
  ]);
  const server = createServer((request, response) => {
    const body = files.get(request.url ?? '');
    response.writeHead(body === undefined ? 404 : 200, {
      'content-length': body?.length ?? 0,
      connection: 'close',
    });
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function page(): Buffer {
  const random = new SeededRandom(5001);
  const lines = Array.from(
    { length: PAGE_LINES },
    (_, i) => `<p>${String(i)}: ${random.next().toString(36).slice(2)} was read here.</p>`,
  );
  return Buffer.from(`<html><body>\n${lines.join('\n')}\n</body></html>\n`);
}

function archive(): Buffer {
  const random = new SeededRandom(5002);
  return Buffer.from(Array.from({ length: ARCHIVE_BYTES }, () => Math.floor(256 * random.next())));
}
