/** As much of RFC 1035 as names addresses: the question, and the A and AAAA records of an answer. */

export interface DnsMessage {
  readonly isAnswer: boolean;
  /** Lower case, without the final dot. */
  readonly question: string;
  readonly addresses: readonly string[];
}

const HEADER_BYTES = 12;
const MAX_LABELS = 40;
const MAX_NAME = 253;
const MAX_RECORDS = 64;
const recordType = { a: 1, aaaa: 28 } as const;

/** Undefined for what is no DNS message with exactly one question. */
export function parseDns(message: Uint8Array): DnsMessage | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  if (bytes.length < HEADER_BYTES || bytes.readUInt16BE(4) !== 1) return undefined;
  const question = readName(bytes, HEADER_BYTES);
  if (question === undefined) return undefined;
  const addresses: string[] = [];
  let at = question.end + 4;
  const records = Math.min(bytes.readUInt16BE(6), MAX_RECORDS);
  for (let i = 0; i < records; i++) {
    const owner = readName(bytes, at);
    if (owner === undefined || owner.end + 10 > bytes.length) break;
    const type = bytes.readUInt16BE(owner.end);
    const length = bytes.readUInt16BE(owner.end + 8);
    const data = bytes.subarray(owner.end + 10, owner.end + 10 + length);
    if (data.length < length) break;
    if (type === recordType.a && length === 4) addresses.push(data.join('.'));
    if (type === recordType.aaaa && length === 16) {
      const groups = Array.from({ length: 8 }, (_, k) => data.readUInt16BE(2 * k).toString(16));
      addresses.push(groups.join(':'));
    }
    at = owner.end + 10 + length;
  }
  return { isAnswer: ((bytes[2] ?? 0) & 0x80) !== 0, question: question.name, addresses };
}

/** A name, and where what follows it begins. Pointers may only go back, so that every name ends. */
function readName(bytes: Buffer, start: number): { name: string; end: number } | undefined {
  const labels: string[] = [];
  let end: number | undefined;
  let at = start;
  let limit = start;
  for (let i = 0; i < MAX_LABELS; i++) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length === 0) {
      const name = labels.join('.').toLowerCase();
      return name.length > MAX_NAME ? undefined : { name, end: end ?? at + 1 };
    }
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | (bytes[at + 1] ?? 0);
      end ??= at + 2;
      if (target >= limit) return undefined;
      at = limit = target;
      continue;
    }
    if (length > 63 || at + 1 + length > bytes.length) return undefined;
    labels.push(printable(bytes.toString('latin1', at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return undefined;
}

/** What stands in a name may end up on a terminal. */
export function printable(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '?');
}
