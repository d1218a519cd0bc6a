/**
 * What the init container does: shows that the pod cannot get out, and only then exchanges its identity for the token of
 * its run. It proves the state at the start of the pod and not for ever.
 *
 * It tells what it found in one line on standard error (Kubernetes keeps it as the container's last words); tokens are
 * in none of it.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { BadSetting, readPreflightConfig, type PreflightConfig } from './config.ts';
import { exchange, exchangeTimes, type ExchangeTimes } from './exchange.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import { isClean, probeTimes, proveIsolation, type ProbeTimes } from './prove-isolation.ts';

/** What a process gives to it. */
export interface PreflightParts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly write: (line: string) => void;
  readonly times?: { readonly probes: ProbeTimes; readonly exchange: ExchangeTimes };
}

/** Runs to the end; answers with the exit code. */
export async function runPreflight({ environment, write, times }: PreflightParts): Promise<ExitCode> {
  const tell = (facts: object) => {
    write(`${JSON.stringify(facts)}\n`);
  };
  let config: PreflightConfig;
  let identity: string;
  try {
    config = readPreflightConfig(environment);
    identity = await readIdentity(config.identityFile);
  } catch (error) {
    if (!(error instanceof BadSetting)) throw error;
    tell({ level: 'error', msg: 'wrong setting', reason: error.message });
    return exitCodes.badConfig;
  }
  const report = await proveIsolation(config, times?.probes ?? probeTimes);
  const { probes, rounds, elapsedMs } = report;
  if (!isClean(report)) {
    tell({ level: 'error', msg: 'the network is not closed', rounds, elapsedMs, probes });
    return exitCodes.notIsolated;
  }
  const done = await exchange({ ...config, identity, preflight: report }, times?.exchange ?? exchangeTimes);
  if (done.kind === 'token') {
    await writeToken(config.tokenFile, done.token);
    tell({ level: 'info', msg: 'ready', rounds, elapsedMs, probes });
    return exitCodes.ready;
  }
  tell({ level: 'error', msg: 'no token', reason: done.why, rounds, elapsedMs });
  return { refused: exitCodes.refused, misunderstood: exitCodes.badConfig, unreachable: exitCodes.unreachable }[
    done.kind
  ];
}

async function readIdentity(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const token = text.trim();
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) {
    throw new BadSetting('DRYDOCK_IDENTITY_TOKEN_FILE: holds no token of a service account');
  }
  return token;
}

/** Whole or not at all, and from the first byte on readable by our own user alone. */
async function writeToken(file: string, token: string): Promise<void> {
  const half = `${file}.new`;
  await rm(half, { force: true }); // of an attempt that was killed
  await writeFile(half, token, { mode: 0o400, flag: 'wx', flush: true });
  await rename(half, file);
}
