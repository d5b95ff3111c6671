import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { parseDns } from './dns.js';
import { flowLedger, flowLimits, type FlowRecord } from './flow-record.js';
import { FlowTable } from './flow-table.js';
import { readOpening } from './opening.js';
import { parsePacket } from './packet.js';
import {
  clientHello,
  dnsAnswer,
  dnsQuery,
  tcpIn,
  tcpOut,
  udpIn,
  udpOut,
  type Segment,
} from './testing/frames.js';

let nowMs = 0;
let table: FlowTable;

beforeEach(() => {
  nowMs = 100;
  table = new FlowTable(() => nowMs);
});

const shop = { address: '203.0.113.7', port: 80 };
const resolver = { address: '10.0.2.3', port: 53 };
const say = (segment: Segment) => {
  table.observe(tcpOut(segment), 'out');
};
const flows = (): readonly FlowRecord[] => table.ledger().flows;

describe('what a guest did on its network', () => {
  test('a posted form: address, name, method, bytes each way, and when', () => {
    say({ ...shop, syn: true });
    nowMs = 130;
    say({ ...shop, payload: 'POST /order HTTP/1.1\r\nHost: Shop.example:80\r\n\r\n' });
    say({ ...shop, payload: 'item=4' });
    nowMs = 180;
    table.observe(tcpIn({ ...shop, payload: 'HTTP/1.1 200 OK\r\n\r\n' }), 'in');
    expect(flows()).toEqual([
      {
        ...{ protocol: 'tcp', ...shop, name: 'shop.example', application: 'http' },
        ...{ startMs: 100, endMs: 180, bytesOut: 53, bytesIn: 19 },
        bursts: [{ atMs: 130, bytes: 53, method: 'POST' }],
      },
    ]);
  });

  test('one connection that is used again and again: each request, and what follows a pause, has its own time', () => {
    say({ ...shop, syn: true });
    say({ ...shop, payload: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' });
    nowMs = 200;
    say({ ...shop, payload: 'POST /x HTTP/1.1\r\nHost: a\r\n\r\n' });
    nowMs = 5000;
    say({ ...shop, payload: 'more of it' });
    expect(flows()[0]?.bursts.map(({ atMs, method }) => [atMs, method])).toEqual([
      [100, 'GET'],
      [200, 'POST'],
      [5000, undefined],
    ]);
  });

  test('an encrypted connection has the name that its client asked for, also in two segments', () => {
    const hello = clientHello('Bank.Example');
    say({ ...shop, port: 443, syn: true });
    say({ ...shop, port: 443, payload: hello.subarray(0, 40) });
    say({ ...shop, port: 443, payload: hello.subarray(40) });
    expect(flows()[0]).toMatchObject({ application: 'tls', name: 'bank.example' });
  });

  test('without a name of its own, a connection has the one that DNS gave for its address', () => {
    table.observe(udpOut(resolver, dnsQuery('mail.example')), 'out');
    table.observe(udpIn(resolver, dnsAnswer('mail.example', '203.0.113.9')), 'in');
    say({ address: '203.0.113.9', port: 25, syn: true });
    say({ address: '203.0.113.9', port: 25, payload: 'EHLO tiny\r\n' });
    expect(flows()).toEqual([
      expect.objectContaining({ application: 'dns', name: 'mail.example', port: 53 }),
      expect.objectContaining({ application: 'smtp', name: 'mail.example', port: 25 }),
    ]);
  });

  test('an attempt that nobody answers is there, with nothing sent; a repeated SYN is the same attempt', () => {
    for (nowMs of [100, 1100, 3100]) say({ ...shop, syn: true, sequence: 77 });
    say({ ...shop, ownPort: 40_001, syn: true, sequence: 99 });
    expect(flows().map(({ startMs, endMs, bytesOut }) => [startMs, endMs, bytesOut])).toEqual([
      [100, 3100, 0],
      [3100, 3100, 0],
    ]);
  });

  test('what goes to everybody on the link leaves nothing behind: ARP, DHCP, groups', () => {
    table.observe(udpOut({ address: '255.255.255.255', port: 67 }, Buffer.alloc(8)), 'out');
    table.observe(udpOut({ address: '224.0.0.251', port: 5353 }, Buffer.alloc(8)), 'out');
    expect(flows()).toEqual([]);
  });

  test('a guest that talks to everybody fills its list, never the memory, and the rest is counted', () => {
    for (let i = 0; i < flowLimits.flows + 50; i++) {
      const port = 1 + i;
      say({ ...shop, port, syn: true });
      say({ ...shop, port, payload: 'hello' });
    }
    for (let i = 0; i < 200; i++) {
      nowMs += 2000;
      say({ ...shop, port: 1, payload: 'again' });
    }
    const ledger = flowLedger.parse(table.ledger());
    expect(ledger.flows).toHaveLength(flowLimits.flows);
    expect(ledger.unlisted).toEqual({ flows: 50, bytesOut: 250 });
    expect(ledger.flows[0]?.bursts).toHaveLength(flowLimits.bursts);
    expect(ledger.flows[0]?.bytesOut).toBe(5 + 5 * 200);
  });
});

describe('frames that are not what they say', () => {
  const valid = [
    tcpOut({ ...shop, payload: 'POST / HTTP/1.1\r\nHost: a\r\n\r\n' }),
    tcpOut({ ...shop, payload: clientHello('a.example') }),
    udpOut(resolver, dnsQuery('a.example')),
    udpIn(resolver, dnsAnswer('a.example', '203.0.113.9')),
  ];
  const mutated = fc
    .tuple(
      fc.constantFrom(...valid),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
      fc.nat(250),
    )
    .map(([frame, changes, length]) => {
      const bytes = Uint8Array.from(frame);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes.subarray(0, length);
    });

  test('never throw, and never make a record that the ledger does not take', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(mutated, fc.uint8Array({ maxLength: 120 }))), (frames) => {
        const any = new FlowTable(() => 1);
        for (const frame of frames) {
          any.observe(frame, 'out');
          any.observe(frame, 'in');
        }
        flowLedger.parse(any.ledger());
      }),
      { numRuns: 2000 },
    );
  });

  test('the parsers take any bytes, and what they understood is printable', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
        parsePacket(bytes);
        const names = [parseDns(bytes)?.question, readOpening(bytes)?.name];
        for (const name of names) expect(name ?? '').toMatch(/^[\x21-\x7e]*$/);
      }),
      { numRuns: 5000 },
    );
  });

  test('a DNS name that points at itself ends', () => {
    const loop = dnsQuery('a');
    loop.set([0xc0, 12], 12);
    expect(parseDns(loop)).toBeUndefined();
  });
});
