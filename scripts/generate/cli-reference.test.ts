import { expect, it } from '@jest/globals';
import { root } from '../run-command.ts';
import { cliReference, commandNames } from './cli-reference.ts';

it('finds the commands of an overview, also those whose words go on in the next line', () => {
  const overview = `Usage: drydock [options] [command]

Options:
  -h, --help      tell more

Commands:
  check-config    Say what is wrong
                  and where
  get [options]   List
  help [command]  display help
`;

  expect(commandNames(overview)).toEqual(['check-config', 'get']);
});

it('makes a page with the help of each command', async () => {
  const page = await cliReference(root);

  for (const name of ['get', 'describe', 'retry', 'review'])
    expect(page).toMatch(new RegExp(`## drydock ${name}\n\n\`\`\`text\nUsage: `));
});
