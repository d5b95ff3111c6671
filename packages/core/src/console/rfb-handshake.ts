import type { Duplex } from 'node:stream';

import { RepriseError } from '../errors.js';

import type { ByteReader } from './byte-reader.js';
import {
  decodeServerInit,
  rfbLimits,
  securityType,
  SERVER_INIT_HEAD,
  type ServerInit,
  violation,
} from './rfb-protocol.js';
import {
  type AuthenticationThrottle,
  isVncResponse,
  VNC_CHALLENGE_BYTES,
  vncChallenge,
  vncResponse,
} from './vnc-authentication.js';

const VERSION_BYTES = 12;
const VERSION_3_8 = 'RFB 003.008\n';

function parseVersion(bytes: Buffer): number {
  const match = /^RFB (\d{3})\.(\d{3})\n$/.exec(bytes.toString('latin1'));
  if (match === null) throw violation('The other end does not speak RFB.');
  return Number(match[1]) * 1000 + Number(match[2]);
}

/**
 * The client's half, up to ServerInit. Always asks for a shared session: an exclusive one would make the display drop every other viewer.
 * @returns ServerInit and its bytes as they came
 */
export async function clientHandshake(
  reader: ByteReader,
  stream: Duplex,
  password?: string,
): Promise<{ init: ServerInit; initBytes: Buffer }> {
  const version = parseVersion(await reader.read(VERSION_BYTES));
  if (version < 3008) {
    throw new RepriseError(
      'RFB_UNSUPPORTED',
      `The display speaks RFB ${Math.floor(version / 1000)}.${version % 1000}; 3.8 is needed. Use a newer hypervisor.`,
    );
  }
  stream.write(VERSION_3_8);
  await agreeOnSecurity(reader, stream, password);
  if ((await reader.read(4)).readUInt32BE(0) !== 0) {
    throw new RepriseError(
      'RFB_AUTHENTICATION_FAILED',
      'The console refused the password. Check it and connect again.',
      { context: { reason: await readReason(reader) } },
    );
  }
  stream.write(Buffer.from([1]));
  const head = await reader.read(SERVER_INIT_HEAD);
  const nameBytes = head.readUInt32BE(20);
  if (nameBytes > rfbLimits.nameBytes)
    throw violation('The display announced a name of unreasonable length.');
  const initBytes = Buffer.concat([head, await reader.read(nameBytes)]);
  return { init: decodeServerInit(initBytes), initBytes };
}

async function agreeOnSecurity(
  reader: ByteReader,
  stream: Duplex,
  password?: string,
): Promise<void> {
  const count = (await reader.read(1)).readUInt8(0);
  if (count === 0) {
    throw new RepriseError(
      'RFB_UNSUPPORTED',
      'The display refused the connection. Its reason is in the context.',
      {
        context: { reason: await readReason(reader) },
      },
    );
  }
  const offered = await reader.read(count);
  if (password !== undefined && offered.includes(securityType.vncAuthentication)) {
    stream.write(Buffer.from([securityType.vncAuthentication]));
    stream.write(vncResponse(password, await reader.read(VNC_CHALLENGE_BYTES)));
  } else if (offered.includes(securityType.none)) {
    stream.write(Buffer.from([securityType.none]));
  } else if (offered.includes(securityType.vncAuthentication)) {
    throw new RepriseError(
      'RFB_AUTHENTICATION_FAILED',
      'The console asks for a password. Give one and connect again.',
    );
  } else {
    throw new RepriseError(
      'RFB_UNSUPPORTED',
      'The display offers only security types that are not supported. Configure none or VNC authentication.',
      { context: { offered: [...offered] } },
    );
  }
}

async function readReason(reader: ByteReader): Promise<string> {
  const length = (await reader.read(4)).readUInt32BE(0);
  if (length > rfbLimits.reasonBytes)
    throw violation('The display announced a reason of unreasonable length.');
  return (await reader.read(length)).toString('utf8');
}

export interface ViewerAuthentication {
  readonly password: string;
  readonly throttle: AuthenticationThrottle;
}

/**
 * The server's half, up to and including ClientInit: versions 3.3, 3.7 and 3.8, security None, or VNC
 * authentication when `authentication` is given. ServerInit is the caller's to send.
 */
export async function serverHandshake(
  reader: ByteReader,
  stream: Duplex,
  authentication: ViewerAuthentication | undefined,
  signal: AbortSignal,
): Promise<void> {
  stream.write(VERSION_3_8);
  const version = parseVersion(await reader.read(VERSION_BYTES));
  const type = authentication === undefined ? securityType.none : securityType.vncAuthentication;
  if (version < 3007) {
    // 3.3: the server decides.
    stream.write(uint32(type));
  } else {
    stream.write(Buffer.from([1, type]));
    const chosen = (await reader.read(1)).readUInt8(0);
    if (chosen !== type)
      throw violation(`The viewer chose security type ${chosen}, which was not offered.`);
  }
  if (authentication !== undefined)
    await authenticate(reader, stream, authentication, version, signal);
  else if (version >= 3008) stream.write(uint32(0));
  await reader.read(1); // ClientInit's shared flag: sessions are always shared
}

async function authenticate(
  reader: ByteReader,
  stream: Duplex,
  { password, throttle }: ViewerAuthentication,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  const challenge = vncChallenge();
  stream.write(challenge);
  const response = await reader.read(VNC_CHALLENGE_BYTES);
  if (await throttle.judge(() => isVncResponse(password, challenge, response), signal)) {
    stream.write(uint32(0));
    return;
  }
  const reason = Buffer.from('Authentication failed', 'latin1');
  stream.write(uint32(1));
  if (version >= 3008) stream.write(Buffer.concat([uint32(reason.length), reason]));
  throw new RepriseError(
    'RFB_AUTHENTICATION_FAILED',
    'A viewer gave a wrong password and was turned away. If it was not you, somebody on this host is guessing: use the unix socket.',
  );
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
