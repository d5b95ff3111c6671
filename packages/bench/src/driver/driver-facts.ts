import { runProgram } from '../baseline/index.js';
import { commit, firstVersion, machineFacts, type MachineFacts } from '../measure/host-facts.js';

/** What a reader must know to compare figures of the driver. */
export interface DriverFacts extends MachineFacts {
  readonly fio: string;
  readonly qemuNbd: string;
  readonly nbdkit: string;
  readonly commit: string | undefined;
}

export async function driverFacts(): Promise<DriverFacts> {
  const version = async (program: string) => firstVersion(await runProgram(program, ['--version']));
  return {
    ...machineFacts(),
    fio: await version('fio'),
    qemuNbd: await version('qemu-nbd'),
    nbdkit: await version('nbdkit'),
    commit: await commit(),
  };
}
