import { join } from 'node:path';
import { runCommand } from '../run-command.ts';

const intro = `<!-- Generated from \`drydock --help\` by scripts/generate.ts; \`make fix\` writes it again. -->

# The command

What \`drydock --help\` says, and \`drydock <command> --help\` of each command. How to use those that ask a server:
[From the command line](../guide/cli.md); reviews without one: [\`drydock review\`](../guide/review-command.md).
`;

/** The page of all commands: the help of each, as a user sees it. */
export async function cliReference(root: string): Promise<string> {
  const bin = join(root, 'packages', 'cli', 'bin', 'drydock.js');
  const overview = await helpOf(bin, []);
  const parts = [intro, fenced(overview)];
  for (const name of commandNames(overview)) parts.push(`## drydock ${name}\n`, fenced(await helpOf(bin, [name])));
  return parts.join('\n');
}

/** The commands that the overview lists, but the one that only leads to these pages. */
export function commandNames(overview: string): string[] {
  const [, list = ''] = overview.split('\nCommands:\n');
  return Array.from(list.matchAll(/^ {2}([a-z][a-z-]*)/gm), ([, name = '']) => name).filter((name) => name !== 'help');
}

async function helpOf(bin: string, command: readonly string[]): Promise<string> {
  const { exitCode, output } = await runCommand('node', [bin, ...command, '--help']);
  if (exitCode !== 0) throw new Error(`drydock ${command.join(' ')} --help ended with ${String(exitCode)}: ${output}`);
  return output;
}

function fenced(text: string): string {
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
}
