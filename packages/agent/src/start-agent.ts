import { readFile } from 'node:fs/promises';
import { ConfigError, Secret, StaleError, readConfig, systemClock } from '@drydock/core';
import { AgentConfig } from './config.ts';
import { exitCodes } from './exit-codes.ts';
import { GatewayClient } from './gateway-client.ts';
import type { RunGateway } from './run-agent.ts';

/** Runs the agent as the process we are in; answers with its exit code. */
export async function startAgent(environment: Readonly<Record<string, string | undefined>>): Promise<number> {
  const write = (line: string) => void process.stderr.write(line);
  const stop = stopSignal();
  try {
    const config = readConfig(AgentConfig, environment);
    if (config.endWithStdin) stop.endWithStdin();
    const token = await readToken(config.runTokenFile);
    const gateway = askEarly(
      new GatewayClient({ baseUrl: config.gatewayUrl, token }, systemClock, Math.random),
      stop.signal,
    );
    const { runAgent } = await import('./run-agent.ts');
    const parts = { config, token, gateway, clock: systemClock, random: Math.random, startedAtMs: 0, loadModel, write };
    return await runAgent(parts, stop.signal);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    write(`${error.message}\n`);
    return exitCodes.badConfig;
  } finally {
    stop.release();
  }
}

/** Asks for the context now: the answer is on its way while the rest of the program is still being loaded. */
function askEarly(gateway: GatewayClient, stop: AbortSignal): RunGateway {
  const context = gateway.readContext(stop);
  context.catch(() => undefined); // told to who reads it
  return {
    readContext: () => context,
    report: (report, signal) => gateway.report(report, signal),
    submit: (result, signal) => gateway.submit(result, signal),
  };
}

/** The import alone takes a tenth of a second, which git needs for its first fetch too. */
async function loadModel(settings: { readonly baseUrl: string; readonly token: Secret }) {
  const { AnthropicModel } = await import('./loop/anthropic-model.ts');
  return new AnthropicModel(settings, systemClock);
}

async function readToken(file: string): Promise<Secret> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    if (/^[\x21-\x7e]+$/.test(text)) return new Secret(text);
  } catch (cause) {
    throw new ConfigError('Wrong settings:\n  DRYDOCK_RUN_TOKEN_FILE: cannot be read', { cause });
  }
  throw new ConfigError('Wrong settings:\n  DRYDOCK_RUN_TOKEN_FILE: holds no token');
}

/** Past this a container would be killed; whatever still holds us up is left behind. */
const politeMs = 8_000;

/**
 * Aborted when we are told to end: by a signal, or, once that is wanted, because standard input closed, which it does
 * when whoever started us is gone. In a container it is closed from the start, or never.
 */
function stopSignal() {
  const stop = new AbortController();
  const end = () => {
    if (stop.signal.aborted) return;
    stop.abort(new StaleError('run.cancelled', 'told to end'));
    setTimeout(() => process.exit(exitCodes.stopped), politeMs).unref();
  };
  process.on('SIGTERM', end).on('SIGINT', end);
  let isWatched = false;
  return {
    signal: stop.signal,
    endWithStdin: () => {
      isWatched = true;
      process.stdin.once('end', end).once('error', end).once('close', end).resume();
    },
    release: () => {
      process.off('SIGTERM', end).off('SIGINT', end);
      if (isWatched) process.stdin.destroy();
    },
  };
}
