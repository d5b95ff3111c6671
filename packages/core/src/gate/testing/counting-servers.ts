import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** An HTTP and an SMTP server on the host's loopback that count what reaches them. */
export interface CountingServers extends AsyncDisposable {
  readonly httpPort: number;
  readonly smtpPort: number;
  /** Requests by method, as in `POST /order`. */
  readonly requests: readonly string[];
  /** Messages that were taken to their final dot. */
  readonly mails: number;
  /** Connections of either kind, also those on which nothing was said. */
  readonly connections: number;
}

export async function startCountingServers(): Promise<CountingServers> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let mails = 0;
  let connections = 0;
  const count = (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  };
  const http = createHttpServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    request.resume();
    request.once('end', () => response.end('taken\n'));
  }).on('connection', count);
  const smtp = createServer((socket) => {
    count(socket);
    talkSmtp(socket, () => mails++);
  });
  const [httpPort, smtpPort] = [await listen(http), await listen(smtp)];
  return {
    ...{ httpPort, smtpPort, requests },
    get mails() {
      return mails;
    },
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = [http, smtp].map((server) => once(server, 'close'));
      http.close();
      smtp.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** As much of RFC 5321 as a client needs that says everything at once. */
function talkSmtp(socket: Socket, onMail: () => void): void {
  let text = '';
  let inData = false;
  socket.setEncoding('latin1').write('220 counting\r\n');
  socket.on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const line = text.slice(0, end).trim();
      text = text.slice(end + 1);
      if (inData) {
        if (line !== '.') continue;
        inData = false;
        onMail();
        socket.write('250 taken\r\n');
      } else if (/^data$/i.test(line)) {
        inData = true;
        socket.write('354 go on\r\n');
      } else if (/^quit$/i.test(line)) {
        socket.end('221 bye\r\n');
      } else {
        socket.write('250 ok\r\n');
      }
    }
  });
}
