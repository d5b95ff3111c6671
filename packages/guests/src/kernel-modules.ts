import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GuestError } from './errors.js';

export interface KernelModule {
  readonly name: string;
  readonly data: Buffer;
}

/**
 * The named modules and all they depend on, each after its dependencies: the order to insmod them in.
 *
 * `modules.dep` is made when a kernel package is installed, and ours is only extracted; but every module
 * carries the names it depends on in its .modinfo section. A name the kernel has built in is left out.
 *
 * @param kernelDirectory `…/lib/modules/<release>`
 */
export async function loadModuleClosure(
  kernelDirectory: string,
  names: readonly string[],
): Promise<KernelModule[]> {
  const paths = await indexModules(kernelDirectory);
  const builtin = await builtinModules(kernelDirectory);
  const ordered: KernelModule[] = [];
  const seen = new Set<string>();

  const visit = async (name: string): Promise<void> => {
    if (seen.has(name)) return;
    seen.add(name);
    const path = paths.get(name);
    if (path === undefined) {
      if (builtin.has(name)) return;
      throw new GuestError(
        'GUEST_PACKAGE_INVALID',
        `The kernel in ${kernelDirectory} has no module ${name}. Correct the module list of the guest's recipe.`,
        { name, kernelDirectory },
      );
    }
    const data = await readFile(path);
    for (const dependency of dependenciesOf(data)) await visit(dependency);
    ordered.push({ name, data });
  };
  for (const name of names) await visit(canonical(name));
  return ordered;
}

async function indexModules(kernelDirectory: string): Promise<Map<string, string>> {
  const files = await readdir(join(kernelDirectory, 'kernel'), {
    recursive: true,
    withFileTypes: true,
  });
  return new Map(
    files
      .filter((file) => file.isFile() && file.name.endsWith('.ko'))
      .map((file) => [canonical(basename(file.name, '.ko')), join(file.parentPath, file.name)]),
  );
}

async function builtinModules(kernelDirectory: string): Promise<Set<string>> {
  const list = await readFile(join(kernelDirectory, 'modules.builtin'), 'utf8');
  return new Set(list.split('\n').map((line) => canonical(basename(line, '.ko'))));
}

/** .modinfo holds NUL-terminated `key=value` strings, `depends=a,b` among them. */
function dependenciesOf(module: Buffer): string[] {
  const start = module.indexOf('\0depends=', 0, 'latin1');
  if (start < 0) return [];
  const value = start + '\0depends='.length;
  const list = module.toString('latin1', value, module.indexOf(0, value));
  return list === '' ? [] : list.split(',').map(canonical);
}

/** File names use - where the kernel uses _. */
function canonical(name: string): string {
  return name.replaceAll('-', '_');
}
