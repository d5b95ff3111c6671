import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

const PROBE_TIMEOUT_MS = 10_000;

/** Root makes a network namespace as it is; everybody else becomes root of a user namespace first. */
const OWN = userInfo().uid === 0 ? ['--net'] : ['--user', '--map-root-user', '--net'];

/** Loopback; and an interface that every other address leads to, and nothing stands behind. No word of IPv6, which talks by itself. */
const SETUP = `
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
set -e
ip link set lo up
ip link add out type veth peer name far
ip addr add 192.0.2.1/24 dev out
ip link set out up
ip link set far up
ip route add default dev out
exec "$@"
`;

/**
 * The command line that runs a program in a network of its own, where every packet on any interface is the program's or its
 * children's. It may capture them there, also without being root here. Undefined where the host does not allow that.
 */
export async function inOwnNetwork(
  program: string,
  args: readonly string[],
): Promise<{ readonly program: string; readonly args: readonly string[] } | undefined> {
  const command = (what: readonly string[]) => [...OWN, '--', 'sh', '-c', SETUP, 'sh', ...what];
  try {
    await run('unshare', command(['true']), { timeout: PROBE_TIMEOUT_MS });
  } catch {
    return undefined;
  }
  return { program: 'unshare', args: command([program, ...args]) };
}
