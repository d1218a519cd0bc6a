import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigError, Secret, readConfig } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import { ClientConfig } from './client-config.ts';

/** Flags that every command on the server has. */
export interface ClientFlags {
  readonly server?: string;
  readonly tokenFile?: string;
  /** Seconds, as typed. */
  readonly timeout?: string;
}

/** How to reach the server, and as whom. */
export interface ClientSettings {
  /** Without a slash at its end. */
  readonly serverUrl: string;
  readonly token: Secret;
  readonly timeoutMs: number;
  /** PEM text; null: none of its own. */
  readonly caPem: string | null;
  readonly proxy: {
    readonly httpProxy: string | null;
    readonly httpsProxy: string | null;
    readonly noProxy: string | null;
  };
}

const maxTokenBytes = 4096;
const maxCaBytes = 4 * 1024 * 1024;

/** Reads flags, environment and the files they name. Throws `ConfigError` for what is wrong or missing. */
export async function readClientSettings(
  flags: ClientFlags,
  { environment, cwd }: Pick<CliPorts, 'environment' | 'cwd'>,
): Promise<ClientSettings> {
  const config = readConfig(ClientConfig, { ...environment, ...flagsAsVariables(flags) });
  const { serverUrl, token, clientTimeoutMs, httpProxy, httpsProxy, noProxy } = config;
  const tokenFile = config.tokenFile === undefined ? undefined : resolve(cwd, config.tokenFile);
  const caFile = config.caFile === undefined ? undefined : resolve(cwd, config.caFile);
  return {
    serverUrl: serverUrl.replace(/\/+$/, ''),
    token: await readToken(flags.tokenFile === undefined ? token : undefined, tokenFile),
    timeoutMs: clientTimeoutMs,
    caPem: caFile === undefined ? null : await readSetting(caFile, 'DRYDOCK_CA_FILE', maxCaBytes),
    proxy: { httpProxy: httpProxy ?? null, httpsProxy: httpsProxy ?? null, noProxy: noProxy ?? null },
  };
}

function flagsAsVariables({ server, tokenFile, timeout }: ClientFlags): Record<string, string> {
  const seconds = timeout === undefined ? null : Number(timeout.replace(/s$/, ''));
  return {
    ...(server === undefined ? {} : { DRYDOCK_SERVER_URL: server }),
    ...(tokenFile === undefined ? {} : { DRYDOCK_TOKEN_FILE: tokenFile }),
    ...(seconds === null ? {} : { DRYDOCK_CLIENT_TIMEOUT_MS: String(Math.round(seconds * 1000)) }),
  };
}

async function readToken(token: Secret | undefined, file: string | undefined): Promise<Secret> {
  const text =
    token?.reveal() ?? (file === undefined ? null : await readSetting(file, 'DRYDOCK_TOKEN_FILE', maxTokenBytes));
  if (text === null)
    throw new ConfigError(
      'No token for the server: set DRYDOCK_TOKEN_FILE (or --token-file) to a file that holds it, or DRYDOCK_TOKEN.\n' +
        'The server takes those of its DRYDOCK_VIEWER_TOKENS and DRYDOCK_ADMIN_TOKENS.',
    );
  const bare = text.trim();
  const name = token === undefined ? `DRYDOCK_TOKEN_FILE: ${String(file)}` : 'DRYDOCK_TOKEN';
  if (bare === '') throw new ConfigError(`Wrong settings:\n  ${name} holds no token`);
  // A header takes no others, and a value such as name:token says what was mixed up.
  if (!/^[\x21-\x7e]+$/.test(bare)) throw new ConfigError(`Wrong settings:\n  ${name} holds more than one token`);
  return new Secret(bare);
}

async function readSetting(file: string, name: string, maxBytes: number): Promise<string> {
  try {
    await using handle = await open(file);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, null);
    if (bytesRead > maxBytes) throw new ConfigError(`Wrong settings:\n  ${name}: ${file} is too large`);
    return buffer.subarray(0, bytesRead).toString();
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
    throw new ConfigError(`Wrong settings:\n  ${name}: ${file} cannot be read${code}`, { cause });
  }
}
