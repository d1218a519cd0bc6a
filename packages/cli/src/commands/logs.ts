import type { Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import type { LogsFlags } from '../verbs/logs.ts';
import { addServerOptions, exitCodeHelp, outputOption } from './server-options.ts';

const help = `${exitCodeHelp}

Examples:
  drydock logs shop/api!7                          of the last attempt
  drydock logs -f shop/api!7                       until that attempt is over
  drydock logs shop/api!7 --attempt 1
  drydock logs shop/api!7 -o json                  one JSON object a line`;

/** `drydock logs`. */
export function addLogsCommand(program: Command, ports: CliPorts): void {
  const command = program
    .command('logs')
    .description('Tell what the agent of a task did')
    .argument('<name>', 'a task')
    .option('-f, --follow', 'go on until the attempt is over')
    .option('--attempt <number>', 'an earlier attempt, counted from 1')
    .addOption(outputOption(['text', 'json'], 'text'));
  addServerOptions(command)
    .addHelpText('after', help)
    .action(async (name: string, flags: LogsFlags) => {
      const { logs } = await import('../verbs/logs.ts');
      await logs(name, flags, ports);
    });
}
