import { join } from 'node:path';

import { RepriseError } from '../errors.js';
import { sha256Hex } from '../machine/index.js';
import { layerId, vmName } from './records.js';

/** Paths of a store. Names from outside are checked here, so that none can point out of it. */
export class StoreLayout {
  readonly home: string;

  constructor(home: string) {
    this.home = home;
  }

  get store(): string {
    return join(this.home, 'store.json');
  }
  get host(): string {
    return join(this.home, 'host.json');
  }
  get boot(): string {
    return join(this.home, 'boot');
  }
  get vms(): string {
    return join(this.home, 'vms');
  }
  get trash(): string {
    return join(this.home, 'trash');
  }
  bootFile(sha256: string): string {
    return join(this.boot, checkDigest(sha256));
  }
  vm(name: string): VmLayout {
    if (!vmName.safeParse(name).success) {
      throw new RepriseError(
        'INVALID_ARGUMENT',
        `"${name.slice(0, 80)}" is not a name of a VM. Use lower-case letters, digits, ".", "_" and "-", at most 63, starting with a letter or a digit.`,
      );
    }
    return new VmLayout(join(this.vms, name), name);
  }
}

/** Paths of one VM. */
export class VmLayout {
  readonly directory: string;
  readonly name: string;

  constructor(directory: string, name: string) {
    this.directory = directory;
    this.name = name;
  }

  get record(): string {
    return join(this.directory, 'vm.json');
  }
  get machine(): string {
    return join(this.directory, 'machine.json');
  }
  get secret(): string {
    return join(this.directory, 'secret');
  }
  get peers(): string {
    return join(this.directory, 'peers.json');
  }
  get commit(): string {
    return join(this.directory, 'commit.json');
  }
  get bases(): string {
    return join(this.directory, 'bases');
  }
  get layers(): string {
    return join(this.directory, 'layers');
  }
  get snapshots(): string {
    return join(this.directory, 'snapshots');
  }
  get working(): string {
    return join(this.directory, 'working');
  }
  get scratches(): string {
    return join(this.directory, 'scratch');
  }
  get incomings(): string {
    return join(this.directory, 'incoming');
  }
  get migrations(): string {
    return join(this.directory, 'migrations');
  }

  base(id: string): BaseLayout {
    const directory = join(this.bases, checkDigest(id));
    return {
      directory,
      disk: join(directory, 'disk.raw'),
      record: join(directory, 'base.json'),
      leaves: join(directory, 'leaves'),
    };
  }
  layer(id: string): string {
    if (!layerId.safeParse(id).success) throw new Error(`not a layer id: ${id}`);
    return join(this.layers, id);
  }
  snapshot(root: string): StateLayout {
    return stateLayout(join(this.snapshots, checkDigest(root)));
  }
  incoming(root: string): StateLayout {
    return stateLayout(join(this.incomings, checkDigest(root)));
  }
  workingCopy(scratch: string | undefined): StateLayout {
    if (scratch === undefined) return stateLayout(this.working);
    return stateLayout(join(this.scratches, checkId(scratch)));
  }
  migration(id: string): string {
    return join(this.migrations, checkId(id));
  }
}

export interface BaseLayout {
  readonly directory: string;
  readonly disk: string;
  readonly record: string;
  readonly leaves: string;
}

/** A directory that holds one state of the machine: a snapshot, a working copy, or something arriving. */
export interface StateLayout {
  readonly directory: string;
  readonly ram: string;
  readonly device: string;
  readonly overlay: string;
  readonly disk: string;
  readonly ramLeaves: string;
  readonly diskLeaves: string;
  readonly index: string;
  readonly inputLog: string;
  readonly manifest: string;
  readonly working: string;
}

export function stateLayout(directory: string): StateLayout {
  const inside = (name: string) => join(directory, name);
  return {
    directory,
    ram: inside('ram'),
    device: inside('device'),
    overlay: inside('overlay'),
    disk: inside('disk.raw'),
    ramLeaves: inside('ram.leaves'),
    diskLeaves: inside('disk.leaves'),
    index: inside('pages.index'),
    inputLog: inside('input.log'),
    manifest: inside('manifest.json'),
    working: inside('working.json'),
  };
}

function checkDigest(digest: string): string {
  if (sha256Hex.safeParse(digest).success) return digest;
  throw new RepriseError(
    'INVALID_ARGUMENT',
    'A digest has 64 hexadecimal digits, in lower case. Copy it whole from "reprise vm show".',
    { context: { digest: digest.slice(0, 80) } },
  );
}

function checkId(id: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,63}$/.test(id)) return id;
  throw new RepriseError('INVALID_ARGUMENT', 'An id has letters, digits and "-" only.', {
    context: { id: id.slice(0, 80) },
  });
}
