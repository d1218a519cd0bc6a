import type { Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import type { EventsFlags } from '../verbs/events.ts';
import { addServerOptions, exitCodeHelp, outputOption } from './server-options.ts';

const help = `
The newest are kept, as long as the task is.
${exitCodeHelp}

Examples:
  drydock events shop/api!7                        who did what to it, and when
  drydock events shop/api!7 --watch
  drydock events review:gitlab:42:7 -o json
  drydock events pauses                            who paused and resumed what, and why`;

/** `drydock events`. */
export function addEventsCommand(program: Command, ports: CliPorts): void {
  const command = program
    .command('events')
    .description('Tell what happened to a task, or to pauses, oldest first')
    .argument('<name>', 'a task, or "pauses"')
    .addOption(outputOption(['table', 'json', 'yaml'], 'table'))
    .option('--no-headers', 'no line of headers')
    .option('-w, --watch', 'go on with what happens next');
  addServerOptions(command)
    .addHelpText('after', help)
    .action(async (name: string, flags: EventsFlags) => {
      const { events } = await import('../verbs/events.ts');
      await events(name, flags, ports);
    });
}
