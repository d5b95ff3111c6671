import { Command } from 'commander';

import { bytesSessions } from '../bytes/index.js';
import { runOlderBenchmark, type OlderPair } from '../older/older-benchmark.js';
import { hostLine } from '../report/host-line.js';

import { run } from './run.js';

/** Sessions that follow each other. */
const PAIRS = [
  ['edit', 'terminal'],
  ['terminal', 'edit'],
] as const;

export function olderCommand(): Command {
  return new Command('older')
    .description(
      'What the snapshot before the base would explain of what a session left, beyond what the base explains.',
    )
    .option('--json <file>', 'also write the result')
    .action(async ({ json }: { readonly json?: string }) => {
      await run(json, async (signal, onProgress) => {
        const session = (name: string) => {
          const found = bytesSessions[name];
          if (found === undefined) throw new Error(`There is no session '${name}'.`);
          return found;
        };
        const pairs = PAIRS.map(([first, second]) => [session(first), session(second)] as const);
        const result = await runOlderBenchmark({ pairs, signal, onProgress });
        const lines = [hostLine(result.host), ...result.pairs.map(pairLine)];
        process.stdout.write(`${lines.join('\n')}\n`);
        return result;
      });
    });
}

function pairLine({ first, second, ...pair }: OlderPair): string {
  const { changedPages, unexplainedPages, inOlder, bytes, bytesWithout } = pair;
  const saved = (100 * (bytes - bytesWithout)) / bytes;
  return [
    `${first}, then ${second}: ${String(changedPages)} pages changed, ${String(unexplainedPages)} that the base does not explain,`,
    `${String(inOlder)} of them in the snapshot before it; residue ${String(bytes)} B, without those ${String(bytesWithout)} B (${saved.toFixed(1)} % less)`,
  ].join(' ');
}
