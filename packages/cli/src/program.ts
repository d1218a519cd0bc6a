import { Command } from 'commander';
import type { CliPorts } from './cli-ports.ts';
import { addCheckConfigCommand } from './commands/check-config.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDevCommand } from './commands/dev.ts';
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
  addReviewCommand(program, ports);
  return program;
}
