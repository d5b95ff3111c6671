/** What a frame says about who talks to whom. Frames are the guest's: everything is checked, nothing is trusted. */

export interface Packet {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'other';
  readonly source: string;
  readonly destination: string;
  /** 0 where the protocol has no ports, or the packet is a later fragment. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly tcp?: { readonly syn: boolean; readonly sequence: number };
  /** What the protocol carries; shares the frame's memory. */
  readonly payload: Uint8Array;
}

const ETHERNET_BYTES = 14;
const VLAN_TAG_BYTES = 4;
const ethertype = { ipv4: 0x0800, ipv6: 0x86dd, vlan: 0x8100 } as const;
const protocolNumber = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const;
/** IPv6 extension headers that are skipped: hop-by-hop, routing, destination options. */
const EXTENSIONS = new Set([0, 43, 60]);
const MAX_EXTENSIONS = 8;
const IPV6_FRAGMENT = 44;
const TCP_SYN = 2;

/** The packet in an Ethernet frame; undefined for what is not IP, or is not what it says. */
export function parsePacket(frame: Uint8Array): Packet | undefined {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  let at = ETHERNET_BYTES;
  if (bytes.length < at) return undefined;
  let type = bytes.readUInt16BE(12);
  if (type === ethertype.vlan) {
    if (bytes.length < at + VLAN_TAG_BYTES) return undefined;
    type = bytes.readUInt16BE(16);
    at += VLAN_TAG_BYTES;
  }
  if (type === ethertype.ipv4) return parseIpv4(bytes.subarray(at));
  if (type === ethertype.ipv6) return parseIpv6(bytes.subarray(at));
  return undefined;
}

function parseIpv4(bytes: Buffer): Packet | undefined {
  if (bytes.length < 20 || (bytes[0] ?? 0) >> 4 !== 4) return undefined;
  const headerBytes = 4 * ((bytes[0] ?? 0) & 15);
  const totalBytes = bytes.readUInt16BE(2);
  if (headerBytes < 20 || totalBytes < headerBytes || totalBytes > bytes.length) return undefined;
  const fragmentOffset = bytes.readUInt16BE(6) & 0x1fff;
  return parseTransport(
    bytes[9] ?? 0,
    bytes.subarray(12, 16).join('.'),
    bytes.subarray(16, 20).join('.'),
    bytes.subarray(headerBytes, totalBytes),
    fragmentOffset > 0,
  );
}

function parseIpv6(bytes: Buffer): Packet | undefined {
  if (bytes.length < 40 || (bytes[0] ?? 0) >> 4 !== 6) return undefined;
  const end = 40 + bytes.readUInt16BE(4);
  if (end > bytes.length) return undefined;
  let next = bytes[6] ?? 0;
  let at = 40;
  let fragment = false;
  for (let i = 0; i < MAX_EXTENSIONS && (EXTENSIONS.has(next) || next === IPV6_FRAGMENT); i++) {
    if (at + 8 > end) return undefined;
    if (next === IPV6_FRAGMENT) fragment ||= bytes.readUInt16BE(at + 2) >> 3 > 0;
    const length = next === IPV6_FRAGMENT ? 8 : 8 * (1 + (bytes[at + 1] ?? 0));
    next = bytes[at] ?? 0;
    at += length;
  }
  if (at > end) return undefined;
  const [source, destination] = [address6(bytes.subarray(8)), address6(bytes.subarray(24))];
  return parseTransport(next, source, destination, bytes.subarray(at, end), fragment);
}

/** Groups without leading zeros; runs of zeros are not shortened, so that equal addresses read equal. */
function address6(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(':');
}

function parseTransport(
  number: number,
  source: string,
  destination: string,
  body: Buffer,
  fragment: boolean,
): Packet | undefined {
  const ends = { source, destination };
  const portless = { ...ends, sourcePort: 0, destinationPort: 0, payload: body };
  const isIcmp = number === protocolNumber.icmp || number === protocolNumber.icmp6;
  if (isIcmp) return { protocol: 'icmp', ...portless };
  const protocol =
    number === protocolNumber.tcp ? 'tcp' : number === protocolNumber.udp ? 'udp' : 'other';
  if (protocol === 'other' || fragment) return { protocol, ...portless };
  if (body.length < (protocol === 'tcp' ? 20 : 8)) return undefined;
  const ports = { sourcePort: body.readUInt16BE(0), destinationPort: body.readUInt16BE(2) };
  if (protocol === 'udp') return { protocol, ...ends, ...ports, payload: body.subarray(8) };
  const headerBytes = 4 * ((body[12] ?? 0) >> 4);
  if (headerBytes < 20 || headerBytes > body.length) return undefined;
  const tcp = { syn: ((body[13] ?? 0) & TCP_SYN) !== 0, sequence: body.readUInt32BE(4) };
  return { protocol, ...ends, ...ports, tcp, payload: body.subarray(headerBytes) };
}

/** Whether one host is meant: neither everybody, nor a group, nor the link itself. */
export function isUnicast(address: string): boolean {
  if (address.includes(':')) return !/^(ff|fe[89ab])/i.test(address.padStart(4, '0'));
  const first = Number(address.slice(0, address.indexOf('.')));
  return first > 0 && first < 224 && address !== '10.0.2.255';
}
