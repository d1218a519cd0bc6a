/**
 * Both containers of the pods of a launcher's contract. The preflight asks the test for the token of its run; the agent
 * tells what it was given, asks how it is to behave, and lets the test hear from it for as long as it lives.
 */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

// eslint-disable-next-line no-restricted-properties -- a program of its own, of tests alone
const { env } = process;
const { DRYDOCK_GATEWAY_URL: url = '', DRYDOCK_RUN_TOKEN_FILE: tokenFile = '', DRYDOCK_RUN_ID: runId } = env;
const beatMs = 50;

async function ask(path: string, body?: object): Promise<string> {
  const response = await fetch(url + path, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
  return response.text();
}

function beat(): void {
  const name = `${env['HOSTNAME'] ?? ''}-${String(process.pid)}`;
  setInterval(() => void ask(`/beat/${name}`).catch(() => undefined), beatMs);
}

if (process.argv[2] === 'child') {
  process.on('SIGTERM', () => undefined);
  beat();
} else if (runId !== undefined) {
  writeFileSync(tokenFile, await ask(`/token/${runId}`), { mode: 0o400 });
} else {
  const workDir = env['DRYDOCK_WORK_DIR'] ?? '';
  const secrets = readdirSync('/var/run').filter((name) => name === 'secrets');
  await ask('/given', {
    surroundings: JSON.stringify([process.argv, env, secrets]),
    environmentNames: Object.keys(env),
    token: readFileSync(tokenFile, 'utf8'),
    tokenFileMode: statSync(tokenFile).mode & 0o777,
    folder: `${env['HOSTNAME'] ?? ''}:${workDir}`,
  });
  const behaviour = JSON.parse(await ask('/behaviour')) as { readonly kind: string; readonly code?: number };
  const isDeaf = behaviour.kind === 'ignores';
  // The first process of a container hears no signal that it does not listen to.
  process.on('SIGTERM', () => {
    if (!isDeaf) process.exit(143);
  });
  if (behaviour.kind === 'exits') process.exit(behaviour.code);
  if (behaviour.kind !== 'obeys') {
    spawn(process.execPath, [process.argv[1] ?? '', 'child'], { stdio: 'ignore' });
    await sleep(500);
  }
  if (behaviour.kind === 'leaves-a-child') process.exit(0);
  beat();
}
