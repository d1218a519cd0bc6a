import { Option, type Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import type { ChangeFlags } from '../verbs/change-tasks.ts';
import { addServerOptions, exitCodeHelp } from './server-options.ts';

const help = `
What waits ends at once, what runs is told to stop. Globs, --selector and --all mean tasks that have not ended.
A push or a comment may queue a cancelled task again. It needs an admin's token.
${exitCodeHelp}

Examples:
  drydock cancel shop/api!7
  drydock cancel 'shop/*' --dry-run
  drydock cancel --selector state=waiting,trigger=swept --yes`;

/** `drydock cancel`. */
export function addCancelCommand(program: Command, ports: CliPorts): void {
  const command = program
    .command('cancel')
    .description('End tasks that wait or run')
    .argument('[names...]', 'names and globs of tasks')
    .option('-l, --selector <conditions>', 'those that fit, such as state=waiting,project=shop/*')
    .option('--all', 'all that have not ended')
    .option('--yes', 'many at once without asking')
    .option('--dry-run', 'only tell which')
    .addOption(new Option('-o, --output <format>', 'print the names alone').choices(['name']));
  addServerOptions(command)
    .addHelpText('after', help)
    .action(async (names: readonly string[], flags: ChangeFlags) => {
      const { cancel } = await import('../verbs/cancel.ts');
      await cancel(names, flags, ports);
    });
}
