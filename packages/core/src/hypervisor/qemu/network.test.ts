import { describe, expect, test } from '@jest/globals';

import { assertClosed } from './network.js';

const nic = 'virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:72:65:70\r\n';
const refused = expect.objectContaining({ code: 'GATE_NOT_CLOSED' });

describe('what a closed gate finds in a hypervisor', () => {
  test('our silent socket behind the NIC is all that may be there', () => {
    const silent = ' \\ net0: index=0,type=stream,unix:/run/x/net-silent\r\n';
    expect(() => {
      assertClosed(nic + silent, { runDirectory: '/run/x', machine: { clock: 'host' } });
      assertClosed('', { runDirectory: '/run/x', machine: { clock: 'host' } });
    }).not.toThrow();
  });

  test('in virtual time a hub with the NIC alone is all that may be there', () => {
    const atHub = `hub 0\r\n \\ net0: ${nic}`;
    const machine = { clock: 'virtual' as const };
    const closed = (said: string) => {
      assertClosed(said, { runDirectory: '/run/x', machine });
    };
    expect(() => {
      closed(atHub);
    }).not.toThrow();
    for (const more of [
      ' \\ p1: world: index=0,type=user,net=10.0.2.0',
      ' \\ net1: index=0,type=stream,unix:/run/x/net-silent',
      'hub 1',
    ]) {
      expect(() => {
        closed(`${atHub}${more}\r\n`);
      }).toThrow(refused);
    }
  });

  test.each([
    ' \\ net0: index=0,type=user,net=10.0.2.0,restrict=on',
    ' \\ net0: index=0,type=tap,ifname=tap0',
    ' \\ net0: index=0,type=stream,unix:/run/other/net-silent',
    ' \\ net0: index=0,type=dgram,udp=/run/x/net-guest:/run/x/net-outside',
    'hub 0',
    'something that a later QEMU says',
  ])('anything else is refused: %s', (line) => {
    expect(() => {
      assertClosed(`${nic}${line}\r\n`, { runDirectory: '/run/x', machine: { clock: 'host' } });
    }).toThrow(refused);
  });
});
