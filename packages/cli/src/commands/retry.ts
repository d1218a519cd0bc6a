import { Option, type Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import type { RetryFlags } from '../verbs/retry.ts';
import { addServerOptions, exitCodeHelp } from './server-options.ts';

const help = `
A task that is named is run again however it ended; globs, --selector, --code and --all mean dead letters.
The selector knows forge, project, kind and trigger. It needs an admin's token.
${exitCodeHelp}

Examples:
  drydock retry shop/api!7
  drydock retry 'shop/*' --dry-run                 tell which dead letters these are
  drydock retry --selector project=shop/* --code model.unavailable
  drydock retry --all --yes                        all dead letters, without asking`;

/** `drydock retry`. */
export function addRetryCommand(program: Command, ports: CliPorts): void {
  const command = program
    .command('retry')
    .description('Let tasks that ended run again, one or many')
    .argument('[names...]', 'names and globs of tasks')
    .option('-l, --selector <conditions>', 'dead letters that fit, such as project=shop/*')
    .option('--code <code>', 'dead letters whose last error is this one')
    .option('--all', 'all dead letters')
    .option('--yes', 'many at once without asking')
    .option('--dry-run', 'only tell which')
    .addOption(new Option('-o, --output <format>', 'print the names alone').choices(['name']));
  addServerOptions(command)
    .addHelpText('after', help)
    .action(async (names: readonly string[], flags: RetryFlags) => {
      const { retry } = await import('../verbs/retry.ts');
      await retry(names, flags, ports);
    });
}
