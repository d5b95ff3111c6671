import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import {
  freeBytesOf,
  probeAccelerator,
  qemuCapabilities,
  virtualTimeReadiness,
} from '@reprise/core';

import type { Context } from '../context.js';
import { bytes } from '../output/units.js';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** Without it reprise cannot work here. */
  readonly required: boolean;
  readonly found: string;
  /** What to do when it is not ok. */
  readonly remedy?: string;
}

/** `doctor`: what this host has and lacks. Settles with whether everything required is there. */
export async function doctor(context: Context): Promise<boolean> {
  const checks = [
    nodeVersion(),
    await qemu(),
    await accelerator('tcg', true),
    await accelerator('kvm', false),
    await virtualTime(),
    await program('setpriv', 'util-linux', true, 'ends the parts of a VM with their supervisor'),
    await program('ssh', 'openssh-client', false, 'needed to reach other hosts'),
    await store(context),
  ];
  const ok = checks.every((check) => check.ok || !check.required);
  context.output.result({ ok, checks }, () =>
    checks
      .map(({ ok: good, required, name, found, remedy }) => {
        const mark = good ? 'ok     ' : required ? 'MISSING' : 'no     ';
        return `${mark} ${name}: ${found}${good || remedy === undefined ? '' : `\n        ${remedy}`}`;
      })
      .join('\n'),
  );
  return ok;
}

function nodeVersion(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return {
    ...{ name: 'Node.js', required: true, found: process.versions.node },
    ok: major > 20 || (major === 20 && minor >= 19),
    remedy: 'Install Node.js 20.19 or later.',
  };
}

async function qemu(): Promise<Check> {
  const remedy = 'Install it. Debian: apt-get install qemu-system-x86';
  try {
    const { version } = await qemuCapabilities();
    return { name: 'QEMU', required: true, ok: true, found: version };
  } catch {
    return { name: 'QEMU', required: true, ok: false, found: 'not installed', remedy };
  }
}

async function accelerator(name: 'kvm' | 'tcg', required: boolean): Promise<Check> {
  const label = name === 'kvm' ? 'KVM' : 'emulation (TCG)';
  try {
    const { usable, reason, seconds } = await probeAccelerator(name, { timeoutMs: 10_000 });
    return {
      ...{ name: label, required, ok: usable },
      found: `${reason} (${seconds.toFixed(1)} s)`,
      ...(usable
        ? {}
        : { remedy: 'Guests that were made for KVM cannot run here; emulated ones can.' }),
    };
  } catch {
    return { name: label, required, ok: false, found: 'QEMU is not installed' };
  }
}

/** Tests virtual time where no result is known for this QEMU, plugin and CPU; about ten seconds. */
async function virtualTime(): Promise<Check> {
  const name = 'virtual time';
  const readiness = await virtualTimeReadiness();
  if (readiness.ready) {
    const when = readiness.cached ? ', found earlier' : '';
    return { name, required: false, ok: true, found: `${readiness.found}${when}` };
  }
  return {
    ...{ name, required: false, ok: false, found: readiness.because },
    remedy:
      'VMs with --clock virtual cannot run here, and migrations of them to here ship. Use the QEMU of your distribution, and build the plugin: npm run setup',
  };
}

async function program(
  name: string,
  debianPackage: string,
  required: boolean,
  what: string,
): Promise<Check> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, name);
    const there = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return { name, required, ok: true, found: path };
  }
  const remedy = `Install it; ${what}. Debian: apt-get install ${debianPackage}`;
  return { name, required, ok: false, found: 'not installed', remedy };
}

async function store(context: Context): Promise<Check> {
  try {
    await using opened = await context.openStore();
    const vms = await opened.listVms();
    const free = await freeBytesOf(opened.home);
    return {
      ...{ name: 'store', required: true, ok: true },
      found: `${context.home}, ${String(vms.length)} VMs, ${bytes(free)} free`,
    };
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return { name: 'store', required: true, ok: false, found };
  }
}
