import type { Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import type { PauseFlags } from '../verbs/change-pauses.ts';
import { addServerOptions, exitCodeHelp } from './server-options.ts';

const help = `
It ends exactly the pause of that name; a project goes on when neither it, its forge nor everything is paused.
It needs an admin's token.
${exitCodeHelp}

Examples:
  drydock resume shop/api
  drydock resume gitlab
  drydock resume --all                             ends what drydock pause --all began
  drydock get pauses -o name | xargs drydock resume
                                                   ends every pause`;

/** `drydock resume`. */
export function addResumeCommand(program: Command, ports: CliPorts): void {
  const command = program
    .command('resume')
    .description('End pauses')
    .argument('[names...]', 'forges, projects, globs of projects')
    .option('--all', 'the pause of everything')
    .option('--yes', 'many at once without asking')
    .option('--dry-run', 'only tell which');
  addServerOptions(command)
    .addHelpText('after', help)
    .action(async (names: readonly string[], flags: PauseFlags) => {
      const { resume } = await import('../verbs/change-pauses.ts');
      await resume(names, flags, ports);
    });
}
