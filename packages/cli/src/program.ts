import { Command } from 'commander';
import type { CliPorts } from './cli-ports.ts';
import { addCheckConfigCommand } from './commands/check-config.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDevCommand } from './commands/dev.ts';
import { addCancelCommand } from './commands/cancel.ts';
import { addDescribeCommand } from './commands/describe.ts';
import { addEventsCommand } from './commands/events.ts';
import { addGetCommand } from './commands/get.ts';
import { addLogsCommand } from './commands/logs.ts';
import { addPauseCommand } from './commands/pause.ts';
import { addResumeCommand } from './commands/resume.ts';
import { addRetryCommand } from './commands/retry.ts';
import { addReviewCommand } from './commands/review.ts';

/** The `drydock` command. */
export function createProgram(ports: CliPorts): Command {
  const program = new Command('drydock')
    .description('AI code review for merge requests, on your machine or your cluster')
    .version(ports.version, '-V, --version')
    .configureHelp({ sortSubcommands: true, showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => ports.stdout.write(text), writeErr: (text) => ports.stderr.write(text) })
    .showHelpAfterError('(drydock --help tells more)')
    .exitOverride();
  addCheckConfigCommand(program, ports);
  addDemoCommand(program, ports);
  addDevCommand(program, ports);
  addCancelCommand(program, ports);
  addDescribeCommand(program, ports);
  addEventsCommand(program, ports);
  addGetCommand(program, ports);
  addLogsCommand(program, ports);
  addPauseCommand(program, ports);
  addResumeCommand(program, ports);
  addRetryCommand(program, ports);
  addReviewCommand(program, ports);
  return program;
}
