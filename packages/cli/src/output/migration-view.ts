import {
  byteClasses,
  stages,
  type MigrationProgress,
  type MigrationReport,
  type Plan,
  type Stage,
} from '@reprise/core';
import { Listr, type ListrTaskWrapper } from 'listr2';

import { table, type Output } from './output.js';
import { listrOptions } from './spinner.js';
import { bytes, seconds, short } from './units.js';

const titles: Record<Stage, string> = {
  suspend: 'suspend',
  meet: 'meet',
  plan: 'plan',
  replay: 'replay',
  residue: 'send the residue',
  prove: 'prove',
  handoff: 'hand over',
  resume: 'resume',
};

/* eslint-disable-next-line @typescript-eslint/no-explicit-any -- listr2's own type of "any renderer" */
type Task = ListrTaskWrapper<any, any, any>;

/** Shows a migration stage by stage while it runs. */
export async function watchMigration<T>(
  output: Output,
  work: (onProgress: (progress: MigrationProgress) => void) => Promise<T>,
): Promise<T> {
  if (output.json) return await work(() => undefined);
  if (!process.stdout.isTTY) return await work(lineAStage(output));
  const view = new StageView();
  const done = work((progress) => {
    view.show(progress);
  });
  done.then(
    () => {
      view.finish();
    },
    (error: unknown) => {
      view.fail(error);
    },
  );
  await new Listr(
    stages.map((stage) => ({
      title: titles[stage],
      task: (_context: unknown, task: Task) => view.run(stage, task),
    })),
    listrOptions,
  )
    .run()
    .catch(() => undefined);
  return await done;
}

/** For logs and pipes: one line when a stage begins. */
function lineAStage(output: Output): (progress: MigrationProgress) => void {
  let last: Stage | undefined;
  return ({ stage }) => {
    if (stage !== last) output.note(`${titles[stage]} …`);
    last = stage;
  };
}

/** Turns progress, which comes by itself, into tasks, which wait: a task ends when a later stage begins. */
class StageView {
  readonly #startedMs = performance.now();
  #reached = -1;
  #stageStartedMs = performance.now();
  #tasks = new Map<Stage, Task>();
  #waiting = new Map<Stage, { resolve: () => void; reject: (error: unknown) => void }>();
  #failure: { error: unknown } | undefined;

  run(stage: Stage, task: Task): Promise<void> {
    this.#tasks.set(stage, task);
    if (this.#reached > stages.indexOf(stage)) {
      task.skip();
      return Promise.resolve();
    }
    if (this.#failure !== undefined) {
      task.skip();
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => this.#waiting.set(stage, { resolve, reject }));
  }

  show(progress: MigrationProgress): void {
    const at = stages.indexOf(progress.stage);
    if (at > this.#reached) {
      this.#reached = at;
      this.#stageStartedMs = performance.now();
      this.#settleBefore(at);
    }
    const task = this.#tasks.get(progress.stage);
    if (task !== undefined) task.output = this.#line(progress);
  }

  finish(): void {
    this.#reached = stages.length;
    this.#settleBefore(stages.length);
  }

  fail(error: unknown): void {
    this.#failure = { error };
    for (const { reject } of this.#waiting.values()) reject(error);
  }

  #settleBefore(at: number): void {
    for (const [stage, { resolve }] of this.#waiting) {
      if (stages.indexOf(stage) >= at) continue;
      this.#waiting.delete(stage);
      resolve();
    }
  }

  #line({ text, done, total, bytes: crossed }: MigrationProgress): string {
    const parts = [text];
    if (done !== undefined && total !== undefined && total > 0) {
      parts.push(`${String(Math.floor((100 * done) / total))} %`);
      const elapsed = (performance.now() - this.#stageStartedMs) / 1000;
      if (done > 0 && done < total)
        parts.push(`${seconds((elapsed * (total - done)) / done)} left`);
    }
    if (crossed !== undefined) {
      const elapsed = (performance.now() - this.#startedMs) / 1000;
      parts.push(`${bytes(crossed.total)} so far`, `${bytes(crossed.total / elapsed)}/s`);
    }
    return parts.join(', ');
  }
}

export function planText(plan: Plan): string {
  const row = (name: 'replay' | 'ship') => [
    plan.strategy === name ? `${name} (chosen)` : name,
    bytes(plan[name].bytes),
    plan[name].seconds === undefined ? '-' : seconds(plan[name].seconds),
  ];
  return `${table(['PLAN', 'BYTES, AT MOST', 'TIME'], [row('replay'), row('ship')])}\n\nBecause ${plan.reason}.`;
}

/** The closing table: what travelled, and how it went. */
export function reportText(report: MigrationReport): string {
  const { bytes: moved, seconds: took, residue, pages } = report;
  const rows = byteClasses
    .filter((name) => moved.byClass[name].sent + moved.byClass[name].received > 0)
    .map((name) => [name, bytes(moved.byClass[name].sent), bytes(moved.byClass[name].received)]);
  const lines = [
    table(
      ['CLASS', 'SENT', 'RECEIVED'],
      [...rows, ['total', bytes(moved.sent), bytes(moved.received)]],
    ),
    '',
    `${short(report.base)} → ${short(report.target)} in ${seconds(took.total)} (${report.strategy}: ${report.reason})`,
    `RAM: ${String(residue.ramPages)} pages sent, ${String(pages.ram.base + pages.ram.twin + pages.ram.zero)} explained by the base, ${String(pages.ram.replay)} by the replay`,
    `disk: ${String(residue.diskBlocks)} blocks sent, ${String(pages.disk.base + pages.disk.twin + pages.disk.zero)} explained by the base, ${String(pages.disk.replay)} by the replay`,
  ];
  if (report.replay !== undefined) {
    const { events, seconds: replayed, sessionSeconds, outcome } = report.replay;
    lines.push(
      `replay: ${outcome}, ${String(events)} events in ${seconds(replayed)} of a session of ${seconds(sessionSeconds)}`,
    );
  }
  if (report.effects !== undefined) {
    const { found, withheld, policy, attempts } = report.effects;
    const tried = attempts.list.reduce((sum, { times }) => sum + times, attempts.unlisted);
    lines.push(
      `effects: ${String(found)} in the session (${policy}: ${String(withheld)} inputs left out); the replay tried ${String(tried)} connections, none got out`,
    );
  }
  for (const note of report.notes) lines.push(`note: ${note}`);
  return lines.join('\n');
}
