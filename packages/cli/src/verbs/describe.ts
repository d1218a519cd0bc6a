import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
import { findTasks } from '../client/find-tasks.ts';
import { parseTaskName } from '../client/task-name.ts';
import { UsageError } from '../client/usage-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { describeTask } from '../print/describe-task.ts';
import { writeOut } from '../print/write-out.ts';
import { jsonText } from '../report/json-text.ts';
import { lookOf } from '../report/text-look.ts';
import { noSuchTask } from './one-task.ts';
import { runOnServer } from './server-verb.ts';

/** Flags of `drydock describe`. */
export interface DescribeFlags extends ClientFlags {
  readonly output: 'text' | 'json' | 'yaml';
}

const maxDescribed = 50;

/** `drydock describe task`. */
export async function describe(
  type: string,
  texts: readonly string[],
  flags: DescribeFlags,
  ports: CliPorts,
): Promise<void> {
  await runOnServer(
    'describe',
    () => {
      if (!['task', 'tasks', 't'].includes(type)) throw new UsageError(`"${type}" cannot be described: task can`);
      const names = texts.map(parseTaskName);
      return async (client) => {
        const print = await printerOf(flags.output, ports);
        let code: number = exitCodes.ok;
        let count = 0;
        for (const name of names) {
          let hasFound = false;
          const search = { names: [name], selector: [], states: null, limit: maxDescribed };
          for await (const { tasks } of findTasks(client, search)) {
            for (const { taskId } of tasks) {
              const detail = await client.task(taskId);
              if (detail === null) continue;
              hasFound = true;
              await writeOut(ports.stdout, await print(detail, count));
              count += 1;
            }
          }
          if (hasFound) continue;
          ports.stderr.write(noSuchTask(name));
          code = exitCodes.notFound;
        }
        return code;
      };
    },
    flags,
    ports,
  );
}

type Detail = Parameters<typeof describeTask>[0];

async function printerOf(
  output: DescribeFlags['output'],
  { stdout, environment }: CliPorts,
): Promise<(detail: Detail, index: number) => Promise<string> | string> {
  if (output === 'json') return jsonText;
  if (output === 'yaml') {
    const { yamlText } = await import('../print/yaml-text.ts');
    return (detail, index) => (index === 0 ? yamlText(detail) : `---\n${yamlText(detail)}`);
  }
  const { isColoured } = lookOf({ isTerminal: stdout.isTTY, columns: stdout.columns, environment });
  return async (detail, index) => `${index === 0 ? '' : '\n'}${await describeTask(detail, isColoured)}`;
}
