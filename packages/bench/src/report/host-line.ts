import type { HostFacts } from '../measure/host-facts.js';

/** What was measured, and where: two lines. */
export function hostLine(host: HostFacts): string {
  const commit = host.commit === undefined ? 'reprise, commit unknown' : `reprise ${host.commit}`;
  return [
    `${host.cpu}, ${String(host.cores)} cores, ${String(host.memoryGiB)} GiB; Linux ${host.kernel}`,
    `${commit}; QEMU ${host.qemu}, Node ${host.node}, rsync ${host.rsync}, zstd ${host.zstd}`,
  ].join('\n');
}
