import { randomBytes, randomUUID } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  ConfigError,
  StaleError,
  type Clock,
  type Log,
  type ReachPoint,
  type ReviewPolicy,
  type Secret,
} from '@drydock/core';
import {
  createForge,
  createLocalForge,
  type Forge,
  type ForgeSettings,
  type LocalForgeSettings,
  type ProxyAddresses,
} from '@drydock/forge';
import type { GitRepository } from '@drydock/git';
import { createHttpClient } from '@drydock/http';
import type { Registry } from 'prom-client';
import { createGatewayApp } from './app.ts';
import type { AgentIdentities } from './exchange/identity-reviewer.ts';
import { Mirrors } from './git/mirrors.ts';
import { limitConnections } from './http/limit-connections.ts';
import { createGatewayMetrics } from './metrics.ts';
import type { AnswerStore } from './model/answer-store.ts';
import { defaultModelRetries } from './model/call-upstream.ts';
import { listPrices, type ModelPrices } from './model/model-prices.ts';
import { markerKeys } from './publish/marker.ts';
import { LiveRuns } from './runs/live-runs.ts';
import type { RunStore } from './runs/run-store.ts';

/** A forge and our account on it; what all forges share is told once. */
export type GatewayForge = Omit<ForgeSettings, 'clock' | 'proxy' | 'caPem'>;

/** A change of this machine, to be reviewed beside those of forges. Nothing is written anywhere. */
export interface GatewayLocalChange extends LocalForgeSettings {
  readonly repository: GitRepository;
}

/** Settings of a gateway, credentials included. Times are milliseconds, sizes bytes. */
export interface GatewaySettings {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** At least one; all are taken. */
  readonly controlTokens: readonly Secret[];
  /** May read runs, their progress and their reports, and nothing else; none unless given. */
  readonly viewTokens?: readonly Secret[];
  readonly forges: readonly GatewayForge[];
  readonly local?: GatewayLocalChange;
  readonly model: {
    /** Such as `https://api.anthropic.com`. */
    readonly baseUrl: string;
    /** Null: the server wants none. */
    readonly apiKey: Secret | null;
    /** Win over the built-in ones. */
    readonly prices?: ModelPrices;
    /** Beside the model of the policy. */
    readonly allowedModels?: readonly string[];
    readonly allowedBetas?: readonly string[];
    /** Without a byte of an answer; default 90 s. */
    readonly silenceMs?: number;
    /** A whole call; default 10 min. */
    readonly callMs?: number;
    /** Default 16 MiB. */
    readonly maxRequestBytes?: number;
  };
  /** Answers of the model that were paid for; absent or null: none are kept. */
  readonly answers?: {
    readonly store: AnswerStore;
    /**
     * Tells apart installations that share a store and may name their projects alike: the repository's folder for one of
     * this machine, the forge's address for a forge.
     */
    readonly installation: string;
  } | null;
  /** At least one; the first signs, all are believed. */
  readonly markerKeys: readonly Secret[];
  readonly policy: ReviewPolicy;
  /** What goes over the wishes of a repository, because whoever asks for the review said so. */
  readonly overrule?: (narrowed: ReviewPolicy) => ReviewPolicy;
  /** A folder of the gateway's own. */
  readonly dataDir: string;
  /** Where git is found, in the manner of PATH. */
  readonly searchPath: string;
  readonly gitFetchMs?: number;
  readonly gitServeMs?: number;
  readonly proxy: ProxyAddresses;
  /** PEM text of private authorities; null: none. */
  readonly caPem: string | null;
}

/** What a gateway needs of the world. The store belongs to the caller. */
export interface GatewayWorld {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  /** Pods that may exchange their identity for the token of their run; absent: none, and there is no such route. */
  readonly identities?: AgentIdentities | undefined;
  /** Told of each step, such as a durable write that was made. */
  readonly reach?: ReachPoint | undefined;
}

/** A gateway at work. */
export interface RunningGateway {
  readonly url: string;
  readonly port: number;
  /** Takes no new requests, gives those in hand some seconds, then ends them and all connections. */
  close(): Promise<void>;
}

const serverLimits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
};
const connectionLimits = { total: 2000, perAddress: 1000 };
const maxAnswerBytes = 64 * 1024 * 1024;
const connectMs = 10_000;
const stopGraceMs = 10_000;

/** Starts a gateway. Throws `ConfigError` for a setting that cannot be right, such as a port that is taken. */
export async function startGateway(settings: GatewaySettings, world: GatewayWorld): Promise<RunningGateway> {
  const { clock, log, registry, store, reach, identities } = world;
  const { model, proxy, caPem } = settings;
  await prepareFolder(settings.dataDir);
  const silenceMs = model.silenceMs ?? 90_000;
  const callMs = model.callMs ?? 600_000;
  const http = createHttpClient({
    upstream: 'model',
    proxy,
    caPem,
    timeouts: { connectMs, headersMs: silenceMs, idleMs: silenceMs, totalMs: callMs },
  });
  const metrics = createGatewayMetrics(registry);
  const forges = new Map(
    settings.forges.map((forge): [string, Forge] => {
      const onAnswer = (status: number) => {
        metrics.forgeAnswered(forge.id, status);
      };
      return [forge.id, createForge({ ...forge, proxy, caPem, clock, onAnswer })];
    }),
  );
  const { local } = settings;
  if (local !== undefined) forges.set(local.id, createLocalForge(local));
  const mirrors = new Mirrors({
    dataDir: settings.dataDir,
    searchPath: settings.searchPath,
    fetchTimeoutMs: settings.gitFetchMs ?? 600_000,
    local: new Map(local === undefined ? [] : [[local.id, local.repository]]),
  });
  const live = new LiveRuns();
  let isStopping = false;
  const common = { clock, log, store, metrics, live, forges, mirrors, registry, reach };
  const keys = markerKeys(settings.markerKeys);
  const app = createGatewayApp(
    {
      ...common,
      policy: settings.policy,
      overrule: settings.overrule ?? ((narrowed) => narrowed),
      markerKeys: keys,
      delimiterKey: keys.signing.secret,
      randomBytes,
      exchange:
        identities === undefined
          ? null
          : {
              identities,
              store,
              clock,
              log,
              randomBytes,
              onResult: (result) => {
                metrics.tokenExchanged(result);
              },
            },
      isStopping: () => isStopping,
      model: {
        ...common,
        http,
        random: Math.random,
        createId: randomUUID,
        answers: settings.answers?.store ?? null,
        onLookup: (lookup) => {
          metrics.answerLookedUp(lookup);
        },
        onCall: ({ model: name, outcome, tokens }) => {
          metrics.modelCalled(name, outcome, tokens);
        },
      },
    },
    {
      controlTokens: settings.controlTokens,
      viewTokens: settings.viewTokens ?? [],
      model: {
        baseUrl: model.baseUrl,
        apiKey: model.apiKey,
        prices: { ...listPrices, ...model.prices },
        allowedModels: model.allowedModels ?? [],
        allowedBetas: model.allowedBetas ?? [],
        retries: defaultModelRetries,
        callTimeoutMs: callMs,
        maxAnswerBytes,
        installation: settings.answers?.installation ?? '',
      },
      maxModelRequestBytes: model.maxRequestBytes ?? 16 * 1024 * 1024,
      gitTimeoutMs: settings.gitServeMs ?? 600_000,
    },
  );
  const server = createServer(serverLimits, app);
  server.maxHeadersCount = 100;
  limitConnections(server, connectionLimits);
  const port = await listen(server, settings.listen);
  return {
    url: `http://${reachableHost(settings.listen.host)}:${String(port)}`,
    port,
    async close() {
      isStopping = true;
      await closeServer(server, () => {
        live.endAll(new StaleError('aborted', 'the gateway is stopping'));
      });
      mirrors.close();
      await Promise.all([http.close(), ...[...forges.values()].map((forge) => forge.close())]);
    },
  };
}

/** How this machine itself reaches an address that was listened on. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

/** Ours alone: what others could write there, git would believe. */
async function prepareFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { mode, uid } = await lstat(path);
  const isOurs = process.getuid === undefined || uid === process.getuid();
  if (!isOurs || (mode & 0o022) !== 0 || (mode & 0o170000) !== 0o040000) {
    throw new ConfigError(
      `The folder ${path} must be a folder of this user that nobody else can write to. Set DRYDOCK_GATEWAY_DATA_DIR`,
    );
  }
}

async function listen(server: Server, { host, port }: GatewaySettings['listen']): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: Error & { code?: string }) => {
      reject(
        new ConfigError(listenTrouble(cause.code ?? 'unknown reason', `port ${String(port)} on ${host}`), { cause }),
      );
    });
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port; // it listens on a port
}

function listenTrouble(code: string, place: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `Cannot listen on ${place}: another program uses it. Stop that program, or set DRYDOCK_GATEWAY_PORT to a free port.`;
    case 'EACCES':
      return `Cannot listen on ${place}: not permitted. Ports below 1024 need root; set DRYDOCK_GATEWAY_PORT to a higher one.`;
    default:
      return `Cannot listen on ${place} (${code}). See DRYDOCK_GATEWAY_HOST and DRYDOCK_GATEWAY_PORT.`;
  }
}

async function closeServer(server: Server, endRequests: () => void): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  server.closeIdleConnections();
  const force = setTimeout(() => {
    endRequests();
    server.closeAllConnections();
  }, stopGraceMs);
  await closed;
  clearTimeout(force);
}
