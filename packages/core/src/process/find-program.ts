import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

import { RepriseError } from '../errors.js';

/** The path of `program` on $PATH. Throws MISSING_PROGRAM with the package that brings it. */
export async function findProgram(program: string, debianPackage: string): Promise<string> {
  const candidates = isAbsolute(program)
    ? [program]
    : (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, program));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      continue;
    }
  }
  throw new RepriseError(
    'MISSING_PROGRAM',
    `${program} is not installed. Install it (Debian: apt-get install ${debianPackage}) and try again.`,
    { context: { program, debianPackage } },
  );
}
