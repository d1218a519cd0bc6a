import type { Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';
import { outputFormats } from '../print/output-format.ts';
import type { GetFlags } from '../verbs/get.ts';
import { addServerOptions, exitCodeHelp, outputOption } from './server-options.ts';

const help = `
Types: tasks (task, t), deadletters (dl), projects (project, p), pauses (pause), parked.
Names: review:gitlab:42:7, group/project!7, group/project (all of it), or globs of these in quotes; of projects
group/project or gitlab:42.
A selector knows state, forge, project, kind and trigger: key=value, key!=value, key in (one,other). All must hold.
Tasks come with the newest change first; ages are counted from the event that queued them.
${exitCodeHelp}

Examples:
  drydock get tasks                                the newest 500
  drydock get tasks --all -o wide
  drydock get tasks 'shop/*' --selector state=running
  drydock get tasks --selector 'state in (waiting,running),trigger!=swept' --sort-by=-age
  drydock get task shop/api!7 -o yaml
  drydock get tasks --watch                        a new line for each change
  drydock get dl -o wide                           what failed for good, and why
  drydock get dl -o name 'shop/*' | xargs drydock retry
  drydock get projects --sort-by waiting
  drydock get pauses
  drydock get parked                               what no scheduler can read, and waits for a person`;

/** `drydock get`. */
export function addGetCommand(program: Command, ports: CliPorts): void {
  const command = program
    .command('get')
    .description('List tasks, dead letters, projects, pauses or what is parked')
    .argument('<type>', 'what to list')
    .argument('[names...]', 'names and globs; all without')
    .addOption(outputOption(outputFormats, 'table'))
    .option('-l, --selector <conditions>', 'only those that fit, such as state=dead,project=shop/*')
    .option('--sort-by <key>', 'sort by this, such as age; with - before it from the end')
    .option('--limit <count>', 'the most that are listed', '500')
    .option('--all', 'list all, page by page')
    .option('--no-headers', 'no line of headers')
    .option('-w, --watch', 'go on, with a line for each change')
    .option('--interval <seconds>', 'how often --watch looks', '2');
  addServerOptions(command)
    .addHelpText('after', help)
    .action(async (type: string, names: readonly string[], flags: GetFlags) => {
      const { get } = await import('../verbs/get.ts');
      await get(type, names, flags, ports);
    });
}
