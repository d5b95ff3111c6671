import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { SnapshotStore } from '../snapshot/index.js';

import { migrationReportSchema, type MigrationReport } from './report.js';

/** The reports of a VM's migrations from this host, newest first. What cannot be read is left out. */
export async function migrationHistory(
  store: SnapshotStore,
  name: string,
): Promise<MigrationReport[]> {
  await store.vm(name);
  const directory = dirname(
    await store.migrationDirectory(name, '00000000-0000-0000-0000-000000000000'),
  );
  const entries = await readdir(directory).catch(() => []);
  const reports: MigrationReport[] = [];
  for (const entry of entries) {
    const text = await readFile(join(directory, entry, 'report.json'), 'utf8').catch(
      () => undefined,
    );
    if (text === undefined) continue;
    const parsed = migrationReportSchema.safeParse(JSON.parse(text));
    if (parsed.success) reports.push(parsed.data);
  }
  return reports.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}
