import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { GuestImages } from '@reprise/guests';

import { run, runOk } from './run.js';

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
const release = join(packageRoot, 'build', 'addon', 'Release');

export function isInstalled(program: string): boolean {
  const path = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return path.some((directory) => existsSync(join(directory, program)));
}

/**
 * The disk that brings the job into dom0: this very Node, this very package, the programs for dom0, and all libraries
 * they need, so that it does not matter which distribution dom0 has.
 */
export async function makePayload(directory: string, base: string): Promise<string> {
  const tree = join(directory, 'payload');
  const at = (...path: string[]): string => join(tree, ...path);
  for (const name of ['bin', 'lib', 'libexec', 'pkg/dist', 'pkg/build/addon/Release']) {
    await mkdir(at(name), { recursive: true });
  }
  await copyFile(base, at('base.img'));
  await cp(join(packageRoot, 'dist'), at('pkg', 'dist'), {
    recursive: true,
    filter: (path) => !path.endsWith('.map') && !path.endsWith('.d.ts'),
  });
  await copyFile(join(packageRoot, 'package.json'), at('pkg', 'package.json'));
  const addon = ['blkdriver.node', 'blkxen.so'];
  for (const name of addon) {
    await copyFile(join(release, name), at('pkg', 'build', 'addon', 'Release', name));
  }
  const programs = [
    process.execPath,
    ...['reprise-blkback', 'reprise-device-model'].map((name) => join(release, name)),
  ];
  const loader = await copyLibraries(
    [...programs, ...addon.map((name) => join(release, name))],
    at('lib'),
  );
  for (const program of programs) {
    const name = basename(program);
    await copyFile(program, at('libexec', name));
    await script(
      at('bin', name),
      `exec /payload/lib/${loader} --library-path /payload/lib /payload/libexec/${name} "$@"`,
    );
  }
  await script(
    at('run'),
    `exec /payload/bin/${basename(process.execPath)} /payload/pkg/dist/testing/xen-dom0.js /results`,
  );
  const image = join(directory, 'payload.img');
  await writeFile(image, '');
  await runOk('env', [
    `PATH=${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
    ...['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-m', '0'],
    ...['-d', tree, image, '320m'],
  ]);
  return image;
}

async function script(path: string, line: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
}

/** Every library that the files need; gives the name of the loader. */
async function copyLibraries(files: readonly string[], to: string): Promise<string> {
  const text = (await Promise.all(files.map((file) => runOk('ldd', [file])))).join('\n');
  const paths = new Set([...text.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? ''));
  let loader = '';
  for (const path of paths) {
    if (basename(path).startsWith('ld-linux')) loader = basename(path);
    await copyFile(path, join(to, basename(path)));
    await chmod(join(to, basename(path)), 0o755);
  }
  if (loader === '') throw new Error(`ldd named no loader for ${files.join(' ')}`);
  return loader;
}

export interface XenRun {
  /** Where dom0's /results are now. */
  readonly results: string;
  /** The job's own exit status; undefined where it did not come to its end. */
  readonly status: number | undefined;
  readonly seconds: number;
  readonly peakMemoryMiB: number;
  /** The end of what the machine printed. */
  readonly console: string;
}

/** Boots a Xen host once, lets it run the payload's job, and fetches what that left. */
export async function runXenHost(
  host: GuestImages,
  payload: string,
  directory: string,
  o: { timeoutMs: number; onLine(line: string): void },
): Promise<XenRun> {
  const archive = join(directory, 'results.tar');
  await writeFile(archive, '');
  await truncate(archive, 512 << 20);
  const { hypervisor } = host;
  if (hypervisor === undefined) throw new Error(`${host.name} has no hypervisor`);
  const drive = (file: string, options: string): string[] => [
    '-drive',
    `file=${file},format=raw,if=virtio,cache=unsafe,${options}`,
  ];
  const started = performance.now();
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-net', 'none'],
      // dom0 does not survive SMAP and SMEP here; and where Xen switches AVX registers between domains, this emulator
      // loses some, which shows as a Node that crashes in dom0.
      ...['-machine', 'pc', '-accel', 'tcg,thread=multi'],
      ...['-cpu', 'max,-smap,-smep,-svm,-xsave'],
      ...['-m', String(host.memoryMiB), '-smp', '2', '-serial', 'stdio'],
      ...['-kernel', hypervisor.file, '-append', `xen ${hypervisor.append}`],
      ...['-initrd', `${host.kernel} ${host.append},${host.initrd}`],
      ...drive(host.disk, 'snapshot=on'),
      ...drive(payload, 'readonly=on'),
      ...drive(archive, 'discard=unmap'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const deadline = setTimeout(() => qemu.kill('SIGKILL'), o.timeoutMs);
  let peakMemoryMiB = 0;
  const memory = setInterval(() => {
    void readFile(`/proc/${String(qemu.pid)}/status`, 'utf8').then(
      (text) => {
        const kib = Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0);
        peakMemoryMiB = Math.max(peakMemoryMiB, Math.round(kib / 1024));
      },
      () => undefined, // it has ended
    );
  }, 1000);
  const stop = (): void => {
    qemu.kill('SIGKILL');
  };
  process.once('exit', stop);
  const lines: string[] = [];
  let status: number | undefined;
  try {
    for await (const line of createInterface({ input: qemu.stdout })) {
      lines.push(line.trimEnd());
      if (lines.length > 200) lines.shift();
      const exit = /REPRISE-JOB-EXIT (\d+)/.exec(line)?.[1];
      if (exit !== undefined) status = Number(exit);
      o.onLine(line.trimEnd());
    }
  } finally {
    clearTimeout(deadline);
    clearInterval(memory);
    process.off('exit', stop);
    stop();
  }
  const seconds = (performance.now() - started) / 1000;
  const results = join(directory, 'results');
  await mkdir(results);
  await run('tar', ['--sparse', '-C', results, '-xf', archive]);
  return { results, status, seconds, peakMemoryMiB, console: lines.join('\n') };
}
