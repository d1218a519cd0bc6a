import { TerminalError, TransientError, systemClock, type LogPage, type TaskId } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
import type { ControlClient } from '../client/control-client.ts';
import { UsageError } from '../client/usage-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { cellText } from '../print/cell-text.ts';
import { logJson, logLine } from '../print/log-lines.ts';
import { writeOut } from '../print/write-out.ts';
import { noSuchTask, parseOneTask, taskIdNamed } from './one-task.ts';
import { runOnServer } from './server-verb.ts';

/** Flags of `drydock logs`. */
export interface LogsFlags extends ClientFlags {
  readonly follow?: boolean;
  readonly attempt?: string;
  readonly output: 'text' | 'json';
}

const followMs = 1000;
/** How long the server keeps a request that follows. */
const waitMs = 5000;
/** How long a server may be away before who follows hears of it as an error: an upgrade takes less. */
const awayMs = 120_000;

/** `drydock logs`. */
export async function logs(text: string, flags: LogsFlags, ports: CliPorts): Promise<void> {
  await runOnServer(
    'logs',
    () => {
      const name = parseOneTask(text);
      if (flags.attempt !== undefined && !/^[1-9]\d{0,6}$/.test(flags.attempt))
        throw new UsageError(`--attempt wants a number from 1 on, not "${flags.attempt}"`);
      const wanted = flags.attempt === undefined ? null : Number(flags.attempt);
      const textOf = flags.output === 'json' ? logJson : logLine;
      return async (client) => {
        const taskId = await taskIdNamed(client, name);
        if (taskId === null) {
          ports.stderr.write(noSuchTask(name));
          return exitCodes.notFound;
        }
        const isFollowed = flags.follow === true;
        let page = await firstPage(client, taskId, { wanted, isFollowed, ports });
        // A retry begins another attempt meanwhile; what is followed is the one that was begun with.
        const { attempt } = page;
        let after = 0;
        for (;;) {
          await writeOut(ports.stdout, page.entries.map(textOf).join(''));
          const last = lastSeq(page, after);
          if (last === after && (page.isOver || !isFollowed)) break;
          after = last;
          const ask = (wait: number) => client.logs(taskId, { attempt, after, waitMs: wait });
          page = await (isFollowed ? follow(ask, ports) : ask(0));
        }
        if (after === 0 && page.isOver) ports.stderr.write(await nothingTold(client, taskId, attempt));
        return exitCodes.ok;
      };
    },
    flags,
    ports,
  );
}

/** The next page, as soon as there is something on it. A server that is away is waited for. */
async function follow(ask: (waitMs: number) => Promise<LogPage>, ports: CliPorts): Promise<LogPage> {
  let awaySinceMs: number | null = null;
  for (;;) {
    const beginMs = systemClock.monotonicMs();
    try {
      const page = await ask(waitMs);
      const tookMs = systemClock.monotonicMs() - beginMs;
      // One that is full, or on its way out, keeps nobody waiting.
      if (page.entries.length === 0 && !page.isOver)
        await systemClock.sleep(Math.max(followMs - tookMs, 0), ports.signal);
      return page;
    } catch (error) {
      const isAway = error instanceof TransientError && error.code !== 'aborted';
      if (!isAway || (awaySinceMs !== null && beginMs - awaySinceMs > awayMs)) throw error;
    }
    if (awaySinceMs === null) ports.stderr.write('The server does not answer now; waiting for it.\n');
    awaySinceMs ??= beginMs;
    await systemClock.sleep(followMs, ports.signal);
  }
}

/** An agent may never have begun, such as in a pod that could not start; how its attempt ended says why. */
async function nothingTold(client: ControlClient, taskId: TaskId, attempt: number): Promise<string> {
  const ended = (await client.task(taskId))?.attempts.find((one) => one.attempt === attempt);
  const how = [ended?.ending ?? '', ended?.detail ?? ''].filter((part) => part !== '').join(': ');
  const what = `The agent of attempt ${String(attempt)} told nothing, or it is kept no longer.`;
  return how === '' ? `${what}\n` : `${what} The attempt ended so: ${cellText(how)}\n`;
}

interface Wanted {
  readonly wanted: number | null;
  readonly isFollowed: boolean;
  readonly ports: CliPorts;
}

/** Who follows waits for an attempt that is still to come. */
async function firstPage(client: ControlClient, taskId: TaskId, { wanted, isFollowed, ports }: Wanted) {
  let hasTold = false;
  for (;;) {
    try {
      return await client.logs(taskId, { attempt: wanted, after: 0 });
    } catch (error) {
      const isMissing = error instanceof TerminalError && error.code === 'request.not_found';
      if (!isFollowed || !isMissing || !(await isToCome(client, taskId, wanted ?? 1))) throw error;
    }
    if (!hasTold) ports.stderr.write('Waiting for an agent to be started.\n');
    hasTold = true;
    await systemClock.sleep(followMs, ports.signal);
  }
}

async function isToCome(client: ControlClient, taskId: TaskId, attempt: number): Promise<boolean> {
  const task = (await client.task(taskId))?.task;
  return task !== undefined && task.attempt < attempt && task.endedAtMs === null;
}

/** The last number of a page. Entries that do not go on from where we are would be printed for ever. */
function lastSeq({ entries }: LogPage, after: number): number {
  let last = after;
  for (const { seq } of entries) {
    if (seq <= last) throw new TerminalError('control.bad_answer', 'The server sent entries of the log twice.');
    last = seq;
  }
  return last;
}
