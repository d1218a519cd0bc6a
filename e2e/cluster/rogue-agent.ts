/**
 * The program of an image that takes the agent's place: it does what the title of its merge request says, and nothing
 * else. What it is given is what an agent is given.
 *
 *   eat memory      until the kernel ends it
 *   fill disk       with what it was told to write to, then waits
 *   exit <code>     without a result
 *   sleep           for ever; ends when it is asked to
 *   ignore          for ever, also when it is asked to end; uses its token all the time, and says when it was refused
 *   work <seconds>  then hands in a review without findings
 *
 * `<what>, then <what>`: the second from the second launch on.
 */
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Context {
  readonly launch: number;
  readonly mergeRequest: { readonly title: string };
  readonly diffRefs: { readonly headSha: string };
}

const { DRYDOCK_GATEWAY_URL: gatewayUrl = '', DRYDOCK_RUN_TOKEN_FILE: tokenFile = '' } = process.env;
const workDir = process.env['DRYDOCK_WORK_DIR'] ?? '';
const token = (await readFile(tokenFile, 'utf8')).trim();
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
/** Launches count from 1 in each epoch of the queue. */
const numbersPerEpoch = 2 ** 22;
const chunkBytes = 8 * 1024 * 1024;
const askEveryMs = 10;

const forever = () => new Promise<never>(() => setInterval(() => undefined, 60_000));

async function ask(path: string, method = 'GET', body?: object): Promise<unknown> {
  const response = await fetch(gatewayUrl + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} was answered ${String(response.status)}`);
  return text === '' ? null : JSON.parse(text);
}

async function tell(text: string): Promise<void> {
  await ask('/run/v1/progress', 'POST', { v: 1, events: [{ kind: 'log', level: 'info', text }] });
}

async function eatMemory(): Promise<never> {
  const eaten: Buffer[] = [];
  for (;;) {
    eaten.push(Buffer.alloc(chunkBytes, eaten.length + 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function fillDisk(): Promise<never> {
  await mkdir(workDir, { recursive: true });
  for (let written = 0; written < 40; written += 1)
    await appendFile(join(workDir, 'filled'), Buffer.alloc(chunkBytes, written));
  return forever();
}

async function work(seconds: number, { diffRefs }: Context): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const result = {
    kind: 'review',
    headSha: diffRefs.headSha,
    partial: null,
    partialCode: null,
    summary: '',
    findings: [],
    changedFiles: 1,
    notRead: [],
    turns: 1,
    stagesMs: {},
  };
  await ask('/run/v1/result', 'PUT', { v: 1, result });
}

/** Uses the token all the time. Says when it was refused, when the last calls before were sent, and if one is taken again. */
async function useToken(): Promise<never> {
  const taken: number[] = [];
  for (let isRefused = false; ;) {
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
    const sentAtMs = Date.now();
    const answer = await fetch(`${gatewayUrl}/run/v1/context`, { headers }).catch(() => null);
    if (answer?.status === 200 && isRefused) process.stdout.write('token taken again\n');
    if (answer?.status === 200) taken.push(sentAtMs);
    await answer?.arrayBuffer().catch(() => null);
    if (answer?.status !== 401 || isRefused) continue;
    isRefused = true;
    process.stdout.write(`token refused at ${String(Date.now())}, taken at ${taken.slice(-50).join(' ')}.\n`);
  }
}

const context = (await ask('/run/v1/context')) as Context;
const [first = '', later = first] = context.mergeRequest.title.split(', then ');
const [what = '', detail = ''] = (context.launch % numbersPerEpoch === 1 ? first : later).split(' ');
// As process 1 it is asked for nothing that it does not listen to.
process.on('SIGTERM', () => {
  if (what !== 'ignore') process.exit(143);
});
await tell(`rogue agent: ${what} ${detail}`);
switch (what) {
  case 'eat':
    await eatMemory();
    break;
  case 'fill':
    await fillDisk();
    break;
  case 'exit':
    process.exit(Number(detail));
    break;
  case 'work':
    await work(Number(detail), context);
    break;
  case 'ignore':
    await useToken();
    break;
  default:
    await forever();
}
