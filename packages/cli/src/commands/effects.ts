import { CAUSALITY_MS, effectsReport, openStore, type EffectsReport } from '@reprise/core';

import type { Context } from '../context.js';
import { table } from '../output/output.js';
import { bytes, seconds, short } from '../output/units.js';

/** `effects`: what a VM's sessions did in the world, by which input, and what its replays tried in vain. */
export async function effects(context: Context, name: string): Promise<void> {
  await using store = await openStore({ home: context.home });
  const report = await effectsReport(store, name);
  context.output.result({ causalityMs: CAUSALITY_MS, ...report }, () => effectsText(report));
}

export function effectsText({ sessions, replays }: EffectsReport): string {
  if (sessions.length === 0) return 'No session of this VM had a network.';
  const parts = sessions.map(({ root, startedAt, effects: found, ledger, complete }) =>
    [
      `session of ${day(startedAt)} (${short(root)}): ${String(ledger.flows.length)} conversations, ${String(found.length)} effects`,
      ...(complete ? [] : [`not all of it was noted: ${missing(ledger)}`]),
      ...(found.length === 0 ? [] : [effectTable(found)]),
    ].join('\n'),
  );
  for (const { startedAt, policy, withheld, attempts } of replays) {
    const left = withheld === 0 ? '' : `, ${String(withheld)} inputs left out`;
    const head = `replay of ${day(startedAt)} (${policy}${left}): nothing got out; it tried`;
    const more = attempts.unlisted === 0 ? [] : [`and ${String(attempts.unlisted)} more`];
    parts.push(
      attempts.list.length === 0
        ? `${head} nothing`
        : [head, attemptTable(attempts.list), ...more].join('\n'),
    );
  }
  return parts.join('\n\n');
}

function effectTable(found: EffectsReport['sessions'][number]['effects']): string {
  return table(
    ['AT', 'TO', 'WHAT', 'SENT', 'BECAUSE OF'],
    found.map(({ atMs, flow, method, bytes: sent, event }) => [
      seconds(atMs / 1000),
      peer(flow),
      [flow.application ?? flow.protocol, method ?? ''].join(' ').trim(),
      bytes(sent),
      event === undefined ? '-' : `input ${String(event.index)} at ${seconds(event.atMs / 1000)}`,
    ]),
  );
}

function attemptTable(list: EffectsReport['replays'][number]['attempts']['list']): string {
  return table(
    ['AT', 'TO', 'WHAT', 'TIMES'],
    list.map((attempt) => [
      seconds(attempt.firstMs / 1000),
      peer(attempt),
      attempt.application ?? attempt.protocol,
      String(attempt.times),
    ]),
  );
}

function peer({
  name,
  address,
  port,
}: {
  name?: string | undefined;
  address: string;
  port: number;
}) {
  const where = address.includes(':') ? `[${address}]` : address;
  const end = port === 0 ? where : `${where}:${String(port)}`;
  return name === undefined ? end : `${name} (${end})`;
}

function missing({ unlisted, gaps }: EffectsReport['sessions'][number]['ledger']): string {
  const counted =
    unlisted.flows === 0 ? [] : [`${String(unlisted.flows)} conversations were only counted`];
  return [...counted, ...gaps].join('; ');
}

function day(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}
