import { byteClasses, type ByteClass } from '@reprise/core';

import {
  methodsOf,
  type Clock,
  type Measurement,
  type Method,
  type SessionRun,
} from '../measure/measurement.js';

import { spreadOf, type Spread } from './statistics.js';

/** All runs of one session under one clock, one line a method. */
export interface SessionSummary {
  readonly session: string;
  readonly clock: Clock;
  readonly title: string;
  readonly runs: number;
  readonly sessionSeconds: Spread;
  readonly changed: { readonly ramPages: Spread; readonly diskBlocks: Spread };
  readonly methods: readonly MethodSummary[];
}

/** Bytes: of both directions unless it says which. */
export interface MethodSummary {
  readonly method: Method;
  readonly total: Spread;
  readonly sent: Spread;
  readonly received: Spread;
  readonly byClass: Readonly<
    Record<ByteClass, { readonly sent: Spread; readonly received: Spread }>
  >;
  /** How many times as many bytes rsync -z moves, run by run. */
  readonly timesLessThanRsync: Spread;
}

/** Groups runs by session and clock, in the order of their first run. */
export function summarize(runs: readonly SessionRun[]): readonly SessionSummary[] {
  const groups = new Map<string, SessionRun[]>();
  for (const run of runs) {
    const key = `${run.session} ${run.clock}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].map(summarizeSession);
}

function summarizeSession(runs: readonly SessionRun[]): SessionSummary {
  const [first] = runs;
  if (first === undefined) throw new RangeError('A session without runs has no summary.');
  const over = (value: (run: SessionRun) => number) => spreadOf(runs.map(value));
  return {
    ...{ session: first.session, clock: first.clock, title: first.title, runs: runs.length },
    sessionSeconds: over((run) => run.sessionSeconds),
    changed: {
      ramPages: over((run) => run.changed.ramPages),
      diskBlocks: over((run) => run.changed.diskBlocks),
    },
    methods: methodsOf[first.clock].map((method) => summarizeMethod(method, runs)),
  };
}

function summarizeMethod(method: Method, runs: readonly SessionRun[]): MethodSummary {
  const over = (value: (measurement: Measurement) => number) =>
    spreadOf(runs.map((run) => value(measurementOf(run, method))));
  return {
    method,
    total: over(({ bytes }) => bytes.total),
    sent: over(({ bytes }) => bytes.sent),
    received: over(({ bytes }) => bytes.received),
    byClass: Object.fromEntries(
      byteClasses.map((name) => [
        name,
        {
          sent: over(({ bytes }) => bytes.byClass[name].sent),
          received: over(({ bytes }) => bytes.byClass[name].received),
        },
      ]),
    ) as MethodSummary['byClass'],
    timesLessThanRsync: spreadOf(
      runs.map(
        (run) => measurementOf(run, 'rsync').bytes.total / measurementOf(run, method).bytes.total,
      ),
    ),
  };
}

function measurementOf(run: SessionRun, method: Method): Measurement {
  const found = run.measurements.find((measurement) => measurement.method === method);
  if (found === undefined)
    throw new RangeError(`'${run.session}' was not measured with ${method}.`);
  return found;
}
