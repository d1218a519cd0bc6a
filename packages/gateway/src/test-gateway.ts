/** A gateway for tests, between fakes that the test has started. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ReviewPolicy,
  RunGrant,
  Secret,
  agentRoutes,
  runIdOf,
  silentLog,
  systemClock,
  taskIdOf,
  type Clock,
  type DiffRefs,
  type Log,
  type RunId,
  type RunRequest,
  type Trigger,
} from '@drydock/core';
import { Registry } from 'prom-client';
import type { AgentIdentities } from './exchange/identity-reviewer.ts';
import { MemoryRunStore } from './runs/memory-run-store.ts';
import type { RunStore } from './runs/run-store.ts';
import { startGateway, type RunningGateway } from './start-gateway.ts';

/** A fake GitLab, as far as it is needed here. */
interface SomeGitLab {
  readonly url: string;
  readonly token: string;
}

/** What a test may choose. */
export interface TestGatewayOptions {
  readonly gitlab: SomeGitLab;
  readonly claude?: { readonly url: string; readonly apiKey: string };
  readonly policy?: ReviewPolicy;
  readonly store?: RunStore;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly identities?: AgentIdentities;
}

/** An answer, its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

/** A merge request as a run needs to name it. */
export interface Reviewable {
  readonly projectId: number;
  readonly iid: number;
  readonly refs: DiffRefs;
}

export const controlToken = 'control-token-of-the-tests';
export const viewToken = 'view-token-of-the-tests';

/** A running gateway with clients for both of its sides. */
export class TestGateway implements AsyncDisposable {
  readonly url: string;
  readonly store: RunStore;
  readonly registry: Registry;
  readonly dataDir: string;
  readonly #gateway: RunningGateway;

  private constructor(gateway: RunningGateway, parts: { store: RunStore; registry: Registry; dataDir: string }) {
    this.#gateway = gateway;
    this.url = gateway.url;
    this.store = parts.store;
    this.registry = parts.registry;
    this.dataDir = parts.dataDir;
  }

  /** Starts one with a folder of its own. */
  static async start(options: TestGatewayOptions): Promise<TestGateway> {
    const dataDir = await mkdtemp(join(tmpdir(), 'drydock-gateway-'));
    const store = options.store ?? new MemoryRunStore();
    const registry = new Registry();
    const gateway = await startGateway(
      {
        listen: { host: '127.0.0.1', port: 0 },
        controlTokens: [new Secret('an-older-control-token'), new Secret(controlToken)],
        viewTokens: [new Secret(viewToken)],
        forges: [
          { kind: 'gitlab', id: 'gitlab', baseUrl: options.gitlab.url, token: new Secret(options.gitlab.token) },
        ],
        model: {
          baseUrl: options.claude?.url ?? 'http://127.0.0.1:1',
          apiKey: new Secret(options.claude?.apiKey ?? 'none'),
        },
        markerKeys: [new Secret('marker-key-of-the-tests')],
        policy: options.policy ?? ReviewPolicy.parse({}),
        dataDir,
        searchPath: '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin',
        proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
        caPem: null,
      },
      {
        store,
        registry,
        clock: options.clock ?? systemClock,
        log: options.log ?? silentLog,
        identities: options.identities,
      },
    );
    return new TestGateway(gateway, { store, registry, dataDir });
  }

  /** Asks as the scheduler does. */
  control(method: string, path: string, body?: unknown, token = controlToken): Promise<Answer> {
    return this.ask(method, `/control/v1${path}`, { authorization: `Bearer ${token}` }, body);
  }

  /** Asks as an agent does, with a path below the run's routes. */
  agent(token: string, method: string, path: string, body?: unknown): Promise<Answer> {
    return this.ask(method, path, { authorization: `Bearer ${token}` }, body);
  }

  async ask(method: string, path: string, headers: Record<string, string>, body?: unknown): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: jsonOf(text) };
  }

  /** Asks for a launch and takes whatever is answered. */
  requestRun(of: Reviewable, launch = 1, trigger: Trigger = 'opened'): Promise<Answer> {
    return this.control('POST', '/runs', runRequest(of, launch, trigger));
  }

  /** Asks for a launch whose pod will fetch its token. */
  requestPodRun(of: Reviewable, launch = 1): Promise<Answer> {
    return this.control('POST', '/runs', { ...runRequest(of, launch), credential: 'exchange', startSeconds: 700 });
  }

  /** Starts a launch that must be granted. */
  async startRun(of: Reviewable, launch = 1): Promise<{ readonly runId: RunId; readonly token: string }> {
    const grant = RunGrant.parse((await this.requestRun(of, launch)).json);
    if (grant.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(grant)}`);
    return grant;
  }

  /** Where an agent's git fetches. */
  get gitUrl(): string {
    return this.url + agentRoutes.git;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway.close();
    await this.store.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** A request for a launch, as the scheduler makes it. */
export function runRequest({ projectId, iid, refs }: Reviewable, launch = 1, trigger: Trigger = 'opened'): RunRequest {
  const subject = { forge: 'gitlab', projectId: String(projectId), iid };
  return { v: 1, taskId: taskIdOf('review', subject), launch, subject, diffRefs: refs, trigger };
}

/** The id of a launch. */
export function runIdFor(of: Reviewable, launch = 1): RunId {
  return runIdOf(runRequest(of).taskId, launch);
}

/** GitLab's names for the commits of a version in ours. */
export function refsOf(refs: { base_sha: string; start_sha: string; head_sha: string }): DiffRefs {
  return { baseSha: refs.base_sha, startSha: refs.start_sha, headSha: refs.head_sha };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
