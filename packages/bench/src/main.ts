#!/usr/bin/env node
import { bytesCommand } from './commands/bytes.js';
import { driverMemoryCommand } from './commands/driver-memory.js';
import { differCommand } from './commands/differ.js';
import { driverCommand } from './commands/driver.js';
import { effectsCommand } from './commands/effects.js';
import { fidelityCommand } from './commands/fidelity.js';
import { olderCommand } from './commands/older.js';
import { raceCommand } from './commands/race.js';
import { scaleCommand } from './commands/scale.js';
import { sessionsCommand } from './commands/sessions.js';
import { virtualCommand } from './commands/virtual.js';

await sessionsCommand()
  .addCommand(driverCommand())
  .addCommand(differCommand())
  .addCommand(scaleCommand())
  .addCommand(driverMemoryCommand())
  .addCommand(bytesCommand())
  .addCommand(olderCommand())
  .addCommand(fidelityCommand())
  .addCommand(raceCommand())
  .addCommand(effectsCommand())
  .addCommand(virtualCommand())
  .parseAsync();
