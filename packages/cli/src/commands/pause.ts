import type { Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import type { PauseFlags } from '../verbs/change-pauses.ts';
import { addServerOptions, exitCodeHelp } from './server-options.ts';

const help = `
Nothing new of it starts, what runs goes on, and events are still taken. It needs an admin's token.
${exitCodeHelp}

Examples:
  drydock pause shop/api --why 'import of old merge requests'
  drydock pause gitlab:42                          a project by its number
  drydock pause gitlab --why maintenance           a forge
  drydock pause 'shop/*' --dry-run
  drydock pause --all --why 'the model costs too much' --yes`;

/** `drydock pause`. */
export function addPauseCommand(program: Command, ports: CliPorts): void {
  const command = program
    .command('pause')
    .description('Start nothing new of a project, a forge, or at all')
    .argument('[names...]', 'forges, projects, globs of projects')
    .option('--all', 'everything')
    .option('--why <text>', 'what whoever wonders is told')
    .option('--yes', 'everything or many at once without asking')
    .option('--dry-run', 'only tell which');
  addServerOptions(command)
    .addHelpText('after', help)
    .action(async (names: readonly string[], flags: PauseFlags) => {
      const { pause } = await import('../verbs/change-pauses.ts');
      await pause(names, flags, ports);
    });
}
