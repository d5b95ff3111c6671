import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { SnapshotStore } from '../snapshot/index.js';

import { migrationReportSchema, type MigrationReport } from './report.js';

/** The reports of a VM's migrations from this host, newest first. What cannot be read is left out. */
export async function migrationHistory(
  store: SnapshotStore,
  name: string,
): Promise<MigrationReport[]> {
  const reports: MigrationReport[] = [];
  for (const directory of await store.listMigrationDirectories(name)) {
    const text = await readFile(join(directory, 'report.json'), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const parsed = migrationReportSchema.safeParse(JSON.parse(text));
    if (parsed.success) reports.push(parsed.data);
  }
  return reports.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}
