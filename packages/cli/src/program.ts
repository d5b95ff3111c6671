import { effectPolicies } from '@reprise/core';
import { Command, Option } from 'commander';

import { consoleOf } from './commands/console.js';
import { doctor } from './commands/doctor.js';
import { effects } from './commands/effects.js';
import { forceTake } from './commands/force-take.js';
import { explain } from './commands/explain.js';
import { history } from './commands/history.js';
import { migrateVm, type MigrateOptions } from './commands/migrate.js';
import type { LinkOptions } from './commands/link-options.js';
import { receiveVm } from './commands/receive.js';
import { rehearseVm } from './commands/rehearse.js';
import { seedVm } from './commands/seed.js';
import { start, type StartOptions } from './commands/start.js';
import { stop, suspend } from './commands/suspend.js';
import { verify } from './commands/verify.js';
import { vmImport, type ImportOptions } from './commands/vm-import.js';
import { vmList } from './commands/vm-list.js';
import { vmRemove } from './commands/vm-remove.js';
import { vmShow } from './commands/vm-show.js';
import { contextOf, type Context, type GlobalOptions } from './context.js';
import { exitCodes } from './exit-codes.js';

/** The command line, and nothing else: what each command does stands in commands/. */
export function buildProgram(version: string): Command {
  const program = new Command('reprise')
    .description(
      'moves virtual machines between hosts over thin links, by replaying what their user did',
    )
    .version(version)
    .showHelpAfterError('(reprise --help shows the commands)')
    .option('--home <directory>', 'where VMs are kept (default: $REPRISE_HOME)')
    .configureHelp({ sortSubcommands: false });

  const vm = program.command('vm').description('the VMs of this host');
  command(vm, 'import <name>', 'take a disk image (and a kernel) into the store')
    .requiredOption('--disk <image>', 'raw disk image; it is copied')
    .option('--kernel <file>', 'kernel of a direct boot; without it the firmware boots the disk')
    .option('--initrd <file>', 'initial RAM disk of a direct boot')
    .option('--append <text>', 'kernel command line')
    .option('--memory <MiB>', 'memory', '512')
    .option('--cpus <count>', 'virtual CPUs', '1')
    .addOption(new Option('--accel <name>').choices(['auto', 'kvm', 'tcg']).default('auto'))
    .option('--cpu-model <name>', 'a named model, the same on every host', 'qemu64')
    .option('--machine-type <name>', 'a versioned machine type', 'pc-i440fx-7.2')
    .option('--display <size>', 'width x height', '800x600')
    .addOption(
      new Option(
        '--frames <policy>',
        'with a virtual clock and a network: whether what the network sends the guest is logged',
      ).choices(['log', 'drop']),
    )
    .addOption(
      new Option('--clock <kind>', "what the guest's time counts: the host's, or instructions")
        .choices(['host', 'virtual'])
        .default('host'),
    )
    .addOption(new Option('--network <kind>').choices(['none', 'user']).default('none'))
    .action(run((context, name: string, o: ImportOptions) => vmImport(context, name, o)));
  command(vm, 'ls', 'list the VMs').action(run((context) => vmList(context)));
  command(vm, 'show <name>', 'show one VM').action(
    run((context, name: string) => vmShow(context, name)),
  );
  command(vm, 'rm <name>', 'remove a VM from this host')
    .option('--yes', 'do not ask')
    .action(run((context, name: string, o: { yes?: boolean }) => vmRemove(context, name, o)));

  command(program, 'start <name>', 'run a VM; it goes on in the background')
    .option('--cold', 'after a crash: boot from the disk as it is')
    .option('--discard', 'after a crash: go back to the last snapshot')
    .option('--take-back', 'end a migration that was begun and not handed over')
    .option('--vnc <port>', 'listen for viewers on a loopback port instead of a unix socket')
    .option('--vnc-password-file <file>', 'its password')
    .action(run((context, name: string, o: StartOptions) => start(context, name, o)));
  command(program, 'console <name>', 'where to look at a running VM')
    .option('--screenshot <file>', 'write the screen to a PNG file instead')
    .action(
      run((context, name: string, o: { screenshot?: string }) => consoleOf(context, name, o)),
    );
  command(program, 'suspend <name>', 'stop a VM so that it can go on, here or elsewhere').action(
    run((context, name: string) => suspend(context, name)),
  );
  command(program, 'stop <name>', 'cut the power and forget the session')
    .option('--discard', 'yes, lose it')
    .action(run((context, name: string, o: { discard?: boolean }) => stop(context, name, o)));

  link(command(program, 'seed <name> <destination>', 'send a VM whole, once')).action(
    run((context, name: string, to: string, o: LinkOptions) => seedVm(context, name, to, o)),
  );
  link(command(program, 'migrate <name> <destination>', 'move a VM (user@host, or unix:/path)'))
    .option('--dry-run', 'only say what would be done, and what it would cost')
    .option('--strategy <name>', 'auto, replay or ship', 'auto')
    .addOption(
      new Option(
        '--optimize <what>',
        'bytes: wait for the replay; time: ship meanwhile, whoever is first',
      )
        .choices(['bytes', 'time'])
        .default('bytes'),
    )
    .addOption(
      new Option(
        '--effects <policy>',
        'what a replay does with input that had an effect in the world',
      )
        .choices(effectPolicies)
        .default('block'),
    )
    .option('--no-resume', 'leave it suspended at the destination')
    .action(
      run((context, name: string, to: string, o: MigrateOptions) =>
        migrateVm(context, name, to, o),
      ),
    );
  command(program, 'receive', 'the far side of seed and migrate; ssh starts it')
    .option('--listen <address>', 'wait for sources at unix:/path')
    .action(run((context, o: { listen?: string }) => receiveVm(context, o)));

  command(program, 'verify <name>', 'read everything and compare it with its digests')
    .option('--all', 'every snapshot, not only the newest')
    .action(run((context, name: string, o: { all?: boolean }) => verify(context, name, o)));
  command(
    program,
    'rehearse <name>',
    'with a virtual clock: check here that the session so far replays exactly',
  ).action(run((context, name: string) => rehearseVm(context, name)));
  command(
    program,
    'explain <name> [migration]',
    'what the residue of a migration was made of (the newest, or by the start of its id)',
  ).action(run((context, name: string, migration?: string) => explain(context, name, migration)));
  command(program, 'history <name>', 'where a VM has been, and what it cost').action(
    run((context, name: string) => history(context, name)),
  );
  command(
    program,
    'effects <name>',
    'what a VM did in the world, and what its replays tried',
  ).action(run((context, name: string) => effects(context, name)));
  command(program, 'force-take <name>', 'run a VM here although another host holds it')
    .requiredOption('--reason <text>', 'why; it is recorded')
    .action(run((context, name: string, o: { reason: string }) => forceTake(context, name, o)));
  command(program, 'doctor', 'check what this host has and lacks').action(
    run(async (context) => {
      if (!(await doctor(context))) process.exitCode = exitCodes.host;
    }),
  );
  return program;
}

function command(parent: Command, usage: string, description: string): Command {
  return parent.command(usage).description(description).option('--json', 'print JSON');
}

function link(command: Command): Command {
  return command
    .option('--limit <rate>', 'at most this fast, each way: 5mbit, 800kbit, 2MB')
    .option('--ssh <argument...>', 'further arguments for ssh, such as -p 2222')
    .option('--remote-command <command>', 'what to start on the far side', 'reprise receive');
}

/** Commander calls back with the arguments, then the options, then the command itself. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- commander's own types say no more
type Action = (context: Context, ...args: any[]) => Promise<void>;

function run(action: Action): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.pop() as Command;
    await action(contextOf(command.optsWithGlobals<GlobalOptions>()), ...args);
  };
}
