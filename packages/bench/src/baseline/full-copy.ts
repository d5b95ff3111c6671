import { runProgram } from './run-program.js';
import { stateTraffic, traffic, type StateFiles, type StateTraffic } from './state-files.js';

/** zstd's default, as a person would run it: no base is used at all. */
export async function measureFullCopy(
  target: StateFiles,
  options: { readonly signal?: AbortSignal } = {},
): Promise<StateTraffic> {
  return stateTraffic({
    ram: traffic(await compressedBytes(target.ram, options), 0),
    disk: traffic(await compressedBytes(target.disk, options), 0),
    device: traffic(await compressedBytes(target.device, options), 0),
  });
}

async function compressedBytes(
  path: string,
  options: { readonly signal?: AbortSignal },
): Promise<number> {
  let bytes = 0;
  await runProgram('zstd', ['-c', '-q', '--', path], {
    ...options,
    onOutput: (chunk) => (bytes += chunk.length),
  });
  return bytes;
}
