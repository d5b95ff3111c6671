import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { arpReplyTo } from './arp.js';

/** As the tiny guest sent it: who has 10.0.2.2? */
const request = Buffer.from(
  'ffffffffffff525400726570080600010800060400015254007265700a00020f0000000000000a000202',
  'hex',
);

describe('ARP in a silent network', () => {
  test('tells the hardware address of the gateway and of the name server, as in a session', () => {
    expect(Buffer.from(arpReplyTo(request) ?? []).toString('hex')).toBe(
      '52540072657052550a000202080600010800060400025255' + '0a0002020a0002025254007265700a00020f',
    );
    const nameServer = Buffer.from(request);
    nameServer[41] = 3;
    expect(arpReplyTo(nameServer)).toBeDefined();
  });

  test('answers for nobody else, and to nothing else', () => {
    const neighbour = Buffer.from(request);
    neighbour[41] = 99;
    expect(arpReplyTo(neighbour)).toBeUndefined();
    const reply = Buffer.from(request);
    reply[21] = 2;
    expect(arpReplyTo(reply)).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        expect(arpReplyTo(bytes)).toBeUndefined();
      }),
    );
  });
});
