import { randomUUID } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { RepriseError } from '../errors.js';
import { canonicalJson } from '../machine/index.js';
import { syncDirectory } from './durable-file.js';
import { ExclusiveLock } from './exclusive-lock.js';
import { ABSENT, leaseRecordSchema, type HandoffState, type LeaseRecord } from './handoff-state.js';
import type { HandoffInput } from './handoff-step.js';
import { step } from './handoff-table.js';
import { Journal, type JournalEntry } from './journal.js';
import type { HandoffOutcome, Lease, RunGrant } from './lease.js';
import { identifySelf, isAlive, type ProcessIdentity } from './process-identity.js';

const LOCK = 'lease';
const FILE = 'lease.jsonl';
const LOCK_TIMEOUT_MS = 10_000;

/** The lease as a journal in the VM's directory; the last record of `lease.jsonl` is the truth. */
export class FileLease implements Lease {
  readonly hostId: string;
  readonly #directoryOf: (vm: string) => string;

  /** @param directoryOf the VM's directory, which must exist before anything but state() is asked. */
  constructor(options: { hostId: string; directoryOf: (vm: string) => string }) {
    this.hostId = options.hostId;
    this.#directoryOf = options.directoryOf;
  }

  async state(vm: string): Promise<HandoffState> {
    return current(await Journal.read(this.#path(vm), leaseRecordSchema)).state;
  }

  async acquireToRun(vm: string, process: ProcessIdentity = identifySelf()): Promise<RunGrant> {
    const { state } = await this.apply(vm, { type: 'start', process });
    if (state.kind !== 'holds') throw new Error('start was accepted by a host that does not hold');
    const { token, lineage, root } = state;
    const isCurrent = async () => {
      const now = await this.state(vm);
      return isOurs(now, token, lineage, process);
    };
    return {
      token,
      lineage,
      root,
      isCurrent,
      attach: async (other) => {
        await this.apply(vm, { type: 'attach', process: other });
      },
      release: async () => {
        await this.#locked(vm, async (journal) => {
          const last = journal.entries.at(-1)?.record.state ?? ABSENT;
          if (isOurs(last, token, lineage, process))
            await this.#run(journal, last, { type: 'stop' });
        });
      },
    };
  }

  apply(vm: string, input: HandoffInput): Promise<HandoffOutcome> {
    return this.#locked(vm, async (journal) => {
      const { state, stale } = current(journal.entries);
      if (stale) await journal.append({ version: 1, type: 'STOPPED', state });
      return this.#run(journal, state, input);
    });
  }

  async forceTake(vm: string, reason: string): Promise<HandoffState> {
    const force = {
      type: 'force',
      lineage: randomUUID(),
      at: new Date().toISOString(),
      reason: reason.slice(0, 200),
    } as const;
    try {
      return (await this.apply(vm, force)).state;
    } catch (error) {
      if (!(error instanceof RepriseError) || error.code !== 'JOURNAL_CORRUPT') throw error;
    }
    await this.#salvage(vm);
    return (await this.apply(vm, force)).state;
  }

  retire(vm: string, removeDirectory: () => Promise<void>): Promise<void> {
    return this.#locked(vm, async (journal) => {
      await this.#run(journal, current(journal.entries).state, { type: 'remove' });
      await removeDirectory();
    });
  }

  history(vm: string): Promise<readonly JournalEntry<LeaseRecord>[]> {
    return Journal.read(this.#path(vm), leaseRecordSchema);
  }

  /** Carries out the effects of one step, in order. */
  async #run(
    journal: Journal<LeaseRecord>,
    state: HandoffState,
    input: HandoffInput,
  ): Promise<HandoffOutcome> {
    const next = step(this.hostId, state, input);
    const messages: HandoffOutcome['messages'][number][] = [];
    const notices: HandoffOutcome['notices'][number][] = [];
    for (const effect of next.effects) {
      switch (effect.kind) {
        case 'journal':
          await journal.append({ version: 1, type: effect.record, state: effect.state });
          break;
        case 'send':
          messages.push({ to: effect.to, message: effect.message });
          break;
        case 'notice': {
          const { notice, migration, root } = effect;
          notices.push({ notice, migration, ...(root === undefined ? {} : { root }) });
          break;
        }
        case 'refuse':
          throw new RepriseError(effect.code, effect.message, {
            context: { state: state.kind, input: input.type },
          });
      }
    }
    return { state: next.state, messages, notices };
  }

  /**
   * An operator who forces a host whose journal is damaged still needs a token beyond every earlier one and the lineages
   * that peers may know: they are picked from what can be read, and the damaged file is kept beside.
   */
  async #salvage(vm: string): Promise<void> {
    const directory = this.#directoryOf(vm);
    await ExclusiveLock.during(directory, LOCK, { timeoutMs: LOCK_TIMEOUT_MS }, async () => {
      const text = await readFile(this.#path(vm), 'latin1');
      const tokens = [...text.matchAll(/"(?:token|granted)":(\d{1,15})/g)].map((m) => Number(m[1]));
      const lineages = [...text.matchAll(/"lineage":"([0-9a-f-]{36})"/g)].map((m) => m[1] ?? '');
      const [lineage = randomUUID()] = lineages.slice(-1);
      await rename(this.#path(vm), join(directory, `lease.damaged-${Date.now()}.jsonl`));
      await syncDirectory(directory);
      await using journal = await Journal.open(this.#path(vm), leaseRecordSchema);
      const token = Math.max(1, ...tokens);
      await journal.append({
        version: 1,
        type: 'SEEDED',
        state: { kind: 'copy', lineage, ancestors: [], token },
      });
    });
  }

  #locked<T>(vm: string, work: (journal: Journal<LeaseRecord>) => Promise<T>): Promise<T> {
    const options = { timeoutMs: LOCK_TIMEOUT_MS };
    return ExclusiveLock.during(this.#directoryOf(vm), LOCK, options, async () => {
      await using journal = await Journal.open(this.#path(vm), leaseRecordSchema);
      return await work(journal);
    });
  }

  #path(vm: string): string {
    return join(this.#directoryOf(vm), FILE);
  }
}

/** The state as of now: a `running` that nobody lives to answer for is over. */
function current(entries: readonly JournalEntry<LeaseRecord>[]): {
  state: HandoffState;
  stale: boolean;
} {
  const state = entries.at(-1)?.record.state ?? ABSENT;
  if (state.kind !== 'holds' || state.running === null || state.running.some(isAlive)) {
    return { state, stale: false };
  }
  return { state: { ...state, running: null }, stale: true };
}

function isOurs(
  state: HandoffState,
  token: number,
  lineage: string,
  process: ProcessIdentity,
): boolean {
  if (state.kind !== 'holds' || state.token !== token || state.lineage !== lineage) return false;
  return state.running !== null && canonicalJson(state.running[0]) === canonicalJson(process);
}
