/** Ethernet frames as a guest at 10.0.2.15 sends and gets them, built and looked at. For tests. */

export interface Peer {
  readonly address: string;
  readonly port: number;
  /** The guest's port. Default 40000. */
  readonly ownPort?: number;
}

export interface Segment extends Peer {
  readonly syn?: boolean;
  readonly sequence?: number;
  readonly payload?: string | Uint8Array;
}

const GUEST = '10.0.2.15';

const TCP = 6;

/** Whether a frame is IPv4 with TCP to `port`. */
export function callsPort(frame: Uint8Array, port: number): boolean {
  const bytes = Buffer.from(frame);
  return (
    bytes.length >= 54 &&
    bytes.readUInt16BE(12) === 0x0800 &&
    bytes[23] === TCP &&
    bytes.readUInt16BE(36) === port
  );
}

export function tcpOut(segment: Segment): Buffer {
  return ipv4(6, GUEST, segment.address, tcp(segment, segment.ownPort ?? 40_000, segment.port));
}

export function tcpIn(segment: Segment): Buffer {
  return ipv4(6, segment.address, GUEST, tcp(segment, segment.port, segment.ownPort ?? 40_000));
}

export function udpOut({ address, port, ownPort = 40_000 }: Peer, payload: Uint8Array): Buffer {
  return ipv4(17, GUEST, address, udp(ownPort, port, payload));
}

export function udpIn({ address, port, ownPort = 40_000 }: Peer, payload: Uint8Array): Buffer {
  return ipv4(17, address, GUEST, udp(port, ownPort, payload));
}

export function dnsQuery(name: string): Buffer {
  return Buffer.concat([dnsHeader(0x0100, 0), question(name)]);
}

/** An answer with a CNAME in front, compressed as name servers do. */
export function dnsAnswer(name: string, address: string): Buffer {
  const pointer = Buffer.from([0xc0, 12]);
  const alias = Buffer.concat([pointer, fields(5, 2), pointer]);
  const data = Buffer.from(address.split('.').map(Number));
  const record = Buffer.concat([pointer, fields(1, 4), data]);
  return Buffer.concat([dnsHeader(0x8180, 2), question(name), alias, record]);
}

/** A TLS 1.2 ClientHello in one record, with a server name after another extension. */
export function clientHello(name: string): Buffer {
  const host = Buffer.from(name);
  const serverName = Buffer.alloc(5);
  serverName.writeUInt16BE(host.length + 3, 0);
  serverName.writeUInt16BE(host.length, 3);
  const extensions = Buffer.concat([
    Buffer.from([0x00, 0x17, 0, 0]),
    u16(0, host.length + 5),
    serverName,
    host,
  ]);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0]),
    u16(extensions.length),
    extensions,
  ]);
  return Buffer.concat([
    Buffer.from([22, 3, 1]),
    u16(body.length + 4),
    Buffer.from([1, 0]),
    u16(body.length),
    body,
  ]);
}

function ipv4(protocol: number, source: string, destination: string, body: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + body.length, 2);
  header[8] = 64;
  header[9] = protocol;
  Buffer.from(source.split('.').map(Number)).copy(header, 12);
  Buffer.from(destination.split('.').map(Number)).copy(header, 16);
  const ethernet = Buffer.from('52550a00020252540072657008' + '00', 'hex');
  return Buffer.concat([ethernet, header, body]);
}

function tcp({ syn = false, sequence = 1, payload = '' }: Segment, from: number, to: number) {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(from, 0);
  header.writeUInt16BE(to, 2);
  header.writeUInt32BE(sequence, 4);
  header[12] = 0x50;
  header[13] = syn ? 0x02 : 0x18;
  return Buffer.concat([header, Buffer.from(payload as Uint8Array)]);
}

function udp(from: number, to: number, payload: Uint8Array): Buffer {
  return Buffer.concat([u16(from, to, 8 + payload.length, 0), payload]);
}

function dnsHeader(flags: number, answers: number): Buffer {
  return u16(7, flags, 1, answers, 0, 0);
}

function question(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

function fields(type: number, length: number): Buffer {
  return u16(type, 1, 0, 60, length);
}

function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, i) => bytes.writeUInt16BE(value, 2 * i));
  return bytes;
}
