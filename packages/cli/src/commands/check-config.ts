import { Option, type Command } from 'commander';
import type { CheckFlags } from '../check/check-files.ts';
import type { CliPorts } from '../cli-ports.ts';

const examples = `
Without a file: .drydock.yaml in the root of the repository you are in.
A file of that name is read as a repository's wishes, any other as the operator's policy.

Exit codes: 0 right (warnings are told), 78 something is wrong, 1 a file cannot be read, 2 usage.

Examples:
  drydock check-config                           before you push a change of .drydock.yaml
  drydock check-config --show                    what is then in force, as YAML
  drydock check-config policy.yaml --format json
  drydock check-config --kind policy - < policy.yaml`;

/** `drydock check-config`. */
export function addCheckConfigCommand(program: Command, ports: CliPorts): void {
  program
    .command('check-config')
    .description('Say what is wrong in a policy or a .drydock.yaml, and what is in force with it')
    .argument('[file...]', 'files to check; - is standard input')
    .addOption(new Option('--kind <kind>', 'what the files hold').choices(['policy', 'repository']))
    .addOption(new Option('--format <format>', 'form of the answer').choices(['text', 'json']).default('text'))
    .option('--policy <file>', 'policy that the wishes are held against (DRYDOCK_POLICY_FILE)')
    .option('--show', 'print the settings in force as YAML')
    .addHelpText('after', examples)
    .action(async (files: readonly string[], flags: CheckFlags) => {
      const { checkFiles } = await import('../check/check-files.ts');
      ports.setExitCode(await checkFiles(files, flags, ports));
    });
}
