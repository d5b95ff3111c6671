import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { sampleProject } from './sample-project.js';

test('the sample project is the same every time', () => {
  expect([...sampleProject()]).toEqual([...sampleProject()]);
});

test('the sample project compiles without a warning and runs', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reprise-project-'));
  try {
    for (const [name, content] of sampleProject(4)) await writeFile(join(directory, name), content);
    execFileSync('make', ['CFLAGS=-O0 -Wall -Werror'], { cwd: directory, stdio: 'pipe' });
    const output = execFileSync('./mill', ['3'], { cwd: directory, encoding: 'utf8' });
    expect(output).toMatch(/^stage00 +\d+ operations {2}[0-9a-f]{8}$/m);
    expect(output.trimEnd().split('\n')).toHaveLength(4);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
