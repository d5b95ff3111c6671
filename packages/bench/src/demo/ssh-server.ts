import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { runProgram } from '../baseline/index.js';

const START_TIMEOUT_MS = 20_000;

/** A real sshd on loopback with keys of its own, for this run only. */
export interface SshServer extends AsyncDisposable {
  readonly destination: string;
  /** What ssh needs to reach it and nothing else of this user's configuration. */
  readonly sshArguments: readonly string[];
}

export async function startSshServer(directory: string): Promise<SshServer> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = (name: string) => join(directory, name);
  for (const name of ['host_key', 'user_key']) {
    await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(name)]);
  }
  const port = await freePort();
  const configuration = [
    `ListenAddress 127.0.0.1:${String(port)}`,
    `HostKey ${file('host_key')}`,
    `AuthorizedKeysFile ${file('user_key.pub')}`,
    ...['PidFile none', 'UsePAM no', 'StrictModes no', 'PasswordAuthentication no'],
    'PermitRootLogin prohibit-password',
    'LogLevel ERROR',
  ];
  await writeFile(file('sshd_config'), `${configuration.join('\n')}\n`);
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', file('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  sshd.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-500)));
  const ended = once(sshd, 'exit');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(port))) {
    if (sshd.exitCode !== null || Date.now() > deadline) {
      sshd.kill('SIGKILL');
      throw new Error(
        `sshd did not start: ${said}. Install it (Debian: apt-get install openssh-server).`,
      );
    }
    await sleep(50);
  }
  return {
    destination: '127.0.0.1',
    sshArguments: [
      ...['-F', 'none', '-p', String(port), '-i', file('user_key')],
      ...['-o', `UserKnownHostsFile=${file('known_hosts')}`],
      ...['-o', 'StrictHostKeyChecking=accept-new', '-o', 'LogLevel=ERROR'],
    ],
    [Symbol.asyncDispose]: async () => {
      sshd.kill('SIGTERM');
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  return await once(socket, 'connect').then(
    () => {
      socket.destroy();
      return true;
    },
    () => false,
  );
}
