import { printable } from './dns.js';

/** What the first bytes of a TCP connection say about it. */
export interface Opening {
  readonly application: 'http' | 'tls' | 'smtp' | 'unknown';
  /** The host that the client named: the Host field, or TLS's server name. */
  readonly name?: string;
}

/** No opening that says anything is longer; what is longer says nothing. */
export const OPENING_BYTES = 4096;

const METHOD = /^(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|CONNECT|TRACE|PROPFIND|REPORT|MKCOL) \S/;
const SMTP = /^(EHLO|HELO|LHLO|MAIL FROM:|AUTH |STARTTLS)/i;
const MAX_NAME = 253;

/** The method, where `payload` begins an HTTP request. */
export function httpMethod(payload: Uint8Array): string | undefined {
  return METHOD.exec(latin1(payload, 0, 64))?.[1];
}

/**
 * Reads the opening of a connection from the client's first bytes. Undefined: more bytes may tell more.
 * Whatever `bytes` is, the answer is final once there are OPENING_BYTES of them.
 */
export function readOpening(bytes: Uint8Array): Opening | undefined {
  const full = bytes.length >= OPENING_BYTES;
  if (bytes.length === 0) return undefined;
  if (bytes[0] === TLS_HANDSHAKE) {
    const hello = readClientHello(bytes);
    if (hello === 'more' && !full) return undefined;
    return { application: 'tls', ...(typeof hello === 'object' ? hello : {}) };
  }
  const text = latin1(bytes, 0, OPENING_BYTES);
  if (METHOD.test(text)) {
    const host = /\r?\nhost:[ \t]*([^\s:]{1,253})/i.exec(text)?.[1];
    if (host === undefined && !full && !/\r?\n\r?\n/.test(text)) return undefined;
    return { application: 'http', ...(host === undefined ? {} : { name: clean(host) }) };
  }
  if (SMTP.test(text)) return { application: 'smtp' };
  return bytes.length < 8 && !full ? undefined : { application: 'unknown' };
}

const TLS_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;

/** The server name of a ClientHello in one record (RFC 8446, 4.1.2; RFC 6066, 3). */
function readClientHello(all: Uint8Array): { name: string } | 'more' | 'none' {
  const bytes = Buffer.from(all.buffer, all.byteOffset, all.length);
  if (bytes.length < 6) return 'more';
  if (bytes[5] !== CLIENT_HELLO) return 'none';
  const short = () => (bytes.length < 5 + bytes.readUInt16BE(3) ? 'more' : 'none');
  // Record and handshake headers, version, random.
  let at = 5 + 4 + 2 + 32;
  for (const lengthBytes of [1, 2, 1]) {
    if (at + lengthBytes > bytes.length) return short();
    at += lengthBytes + bytes.readUIntBE(at, lengthBytes);
  }
  at += 2;
  // Each extension has at least 4 bytes, so this ends.
  while (at + 4 <= bytes.length) {
    const [type, length] = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2)];
    const body = bytes.subarray(at + 4, at + 4 + length);
    if (type === SERVER_NAME) {
      if (body.length < length) return short();
      const name = body.length < 5 ? '' : body.toString('latin1', 5, 5 + body.readUInt16BE(3));
      return name === '' || name.length > MAX_NAME ? 'none' : { name: clean(name) };
    }
    at += 4 + length;
  }
  return short();
}

function clean(name: string): string {
  return printable(name).toLowerCase();
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', from, to);
}
