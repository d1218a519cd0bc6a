import type { Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import type { DescribeFlags } from '../verbs/describe.ts';
import { addServerOptions, exitCodeHelp, outputOption } from './server-options.ts';

const help = `${exitCodeHelp}

Examples:
  drydock describe task review:gitlab:42:7
  drydock describe task shop/api!7                 why it waits, what was tried, what happened
  drydock describe task shop/api!7 -o json`;

/** `drydock describe`. */
export function addDescribeCommand(program: Command, ports: CliPorts): void {
  const command = program
    .command('describe')
    .description('Tell all that is known of a task: state, attempts, last error, events')
    .argument('<type>', 'task')
    .argument('<names...>', 'names and globs of tasks')
    .addOption(outputOption(['text', 'json', 'yaml'], 'text'));
  addServerOptions(command)
    .addHelpText('after', help)
    .action(async (type: string, names: readonly string[], flags: DescribeFlags) => {
      const { describe } = await import('../verbs/describe.ts');
      await describe(type, names, flags, ports);
    });
}
