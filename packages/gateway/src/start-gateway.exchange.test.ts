import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  RunToken,
  TransientError,
  WireError,
  agentRoutes,
  silentLog,
  type ExchangeRequest,
  type Log,
  type LogFacts,
} from '@drydock/core';
import { ManualClock } from '@drydock/testkit';
import type { IdentityReviewer, ReviewedToken, SeenPod } from './exchange/identity-reviewer.ts';
import { aRunRecord } from './runs/run-builders.ts';
import { TestGateway, type Answer } from './test-gateway.ts';

const namespace = 'drydock-tasks';
const audience = 'drydock-gateway';
const { runId } = aRunRecord();

/** An API server that knows these tokens and pods. */
class FakeIdentities implements IdentityReviewer {
  readonly tokens = new Map<string, Extract<ReviewedToken, { kind: 'authenticated' }>>();
  readonly pods = new Map<string, SeenPod>();
  isDown = false;
  reviews = 0;

  /** A pod with its projected token, as a kubelet makes it. */
  addPod(name: string, changes: Partial<SeenPod> = {}): string {
    const uid = changes.uid ?? `uid-of-${name}`;
    this.pods.set(name, { uid, labels: { 'drydock.dev/run': runId }, isTerminating: false, ...changes });
    const token = `aaa.${name}.zzz`;
    const username = `system:serviceaccount:${namespace}:drydock-agent`;
    this.tokens.set(token, { kind: 'authenticated', username, audiences: [audience], pod: { name, uid } });
    return token;
  }

  async reviewToken(token: { reveal(): string }, wanted: string): Promise<ReviewedToken> {
    this.reviews += 1;
    if (this.isDown) throw new TransientError('kube.unreachable', 'no API server');
    const known = this.tokens.get(token.reveal());
    return known?.audiences.includes(wanted) === true ? known : { kind: 'refused' };
  }

  async readPod(where: string, name: string): Promise<SeenPod | null> {
    return where === namespace ? (this.pods.get(name) ?? null) : null;
  }
}

describe('the exchange of an identity for the token of a run', () => {
  let kube: FakeIdentities;
  let gateway: TestGateway;
  let logged: { readonly level: string; readonly facts: LogFacts; readonly message: string }[];

  beforeEach(async () => {
    kube = new FakeIdentities();
    logged = [];
    const at = (level: string) => (facts: LogFacts, message: string) => void logged.push({ level, facts, message });
    const log: Log = { ...silentLog, info: at('info'), warn: at('warn'), error: at('error') };
    const identities = { reviewer: kube, namespace, serviceAccount: 'drydock-agent', audience };
    gateway = await TestGateway.start({ gitlab: { url: 'http://127.0.0.1:1', token: 'none' }, identities, log });
    await gateway.store.start({ ...aRunRecord(), deadlineAtMs: Date.now() + 3_600_000 }, null);
  });
  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  const clean: ExchangeRequest['preflight'] = {
    v: 1,
    probes: [
      { target: '10.96.0.1:443', set: 'hard', outcome: 'timeout' },
      { target: '10.0.0.7:10250', set: 'posture', outcome: 'connected' },
    ],
    rounds: 2,
    elapsedMs: 600,
  };
  const exchange = (token: string, body: unknown = { v: 1, runId, preflight: clean }): Promise<Answer> =>
    gateway.agent(token, 'POST', agentRoutes.exchange, body);
  const codeOf = ({ status, json }: Answer) => [status, WireError.parse(json).error.code];
  const counted = async (name: string) =>
    (await gateway.registry.metrics()).split('\n').filter((line) => line.startsWith(name));
  const works = async (token: string) => (await gateway.agent(token, 'GET', agentRoutes.context)).status;

  it('gives the pod of a run a token that is good for this run at once', async () => {
    const answer = await exchange(kube.addPod('dd-1'));

    const { token, deadlineSeconds } = RunToken.parse(answer.json);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await works(token)).toBe(200);
    expect(deadlineSeconds).toBe(aRunRecord().context.policy.budget.deadlineSeconds);
    expect(await counted('drydock_token_exchanges_total')).toEqual([
      'drydock_token_exchanges_total{result="exchanged"} 1',
    ]);
    expect(JSON.stringify(logged)).not.toContain(token);
    expect(JSON.stringify(logged)).not.toContain('aaa.dd-1.zzz');
  });

  it('gives it once: another pod of the same run is refused with an alarm, and the first goes on', async () => {
    const first = RunToken.parse((await exchange(kube.addPod('dd-1'))).json);

    const second = await exchange(kube.addPod('dd-1-copy'));

    expect(codeOf(second)).toEqual([401, 'run.already_exchanged']);
    expect(await works(first.token)).toBe(200);
    expect(await counted('drydock_token_replays_total')).toEqual(['drydock_token_replays_total 1']);
    expect(logged.filter(({ level }) => level === 'error')).toMatchObject([
      { facts: { runId, podName: 'dd-1-copy', reason: 'other-pod' } },
    ]);
  });

  it('answers the same pod anew when the first answer was lost, until a token was used', async () => {
    const identity = kube.addPod('dd-1');
    const lost = RunToken.parse((await exchange(identity)).json);

    const { token } = RunToken.parse((await exchange(identity)).json);
    expect(await works(lost.token)).toBe(401);
    expect(await works(token)).toBe(200);

    expect(codeOf(await exchange(identity))).toEqual([401, 'run.already_exchanged']);
    expect(await works(token)).toBe(200);
  });

  it.each<[string, (token: string) => void, string]>([
    ['that the API server does not know', (token) => kube.tokens.delete(token), 'token'],
    ['for another audience', (token) => change(token, { audiences: ['vault'] }), 'token'],
    [
      'of another service account',
      (token) => change(token, { username: 'system:serviceaccount:drydock-tasks:default' }),
      'service-account',
    ],
    [
      'of that account in another namespace',
      (token) => change(token, { username: 'system:serviceaccount:evil:drydock-agent' }),
      'service-account',
    ],
    ['that is bound to no pod', (token) => change(token, { pod: null }), 'no-pod'],
    ['of a pod that is gone', () => kube.pods.clear(), 'pod-gone'],
    ['of a pod that was replaced under its name', () => kube.pods.set('dd-1', aPod({ uid: 'another' })), 'pod-gone'],
    ['of a pod that is told to end', () => kube.pods.set('dd-1', aPod({ isTerminating: true })), 'pod-gone'],
    [
      'of the pod of another run',
      () => kube.pods.set('dd-1', aPod({ labels: { 'drydock.dev/run': 'fedcba9876543210-1' } })),
      'other-run',
    ],
    ['of a pod without our label', () => kube.pods.set('dd-1', aPod({ labels: {} })), 'other-run'],
  ])('refuses an identity %s', async (_, spoil, reason) => {
    const identity = kube.addPod('dd-1');
    spoil(identity);

    expect(codeOf(await exchange(identity))).toEqual([401, 'run.identity_refused']);

    expect(logged).toMatchObject([{ level: 'warn', facts: { reason } }]);
    expect(await counted('drydock_token_exchanges_total')).toEqual([
      'drydock_token_exchanges_total{result="identity"} 1',
    ]);
  });

  function aPod(changes: Partial<SeenPod>): SeenPod {
    return { uid: 'uid-of-dd-1', labels: { 'drydock.dev/run': runId }, isTerminating: false, ...changes };
  }
  function change(token: string, changes: Partial<Extract<ReviewedToken, { kind: 'authenticated' }>>): void {
    const known = kube.tokens.get(token);
    if (known !== undefined) kube.tokens.set(token, { ...known, ...changes });
  }

  it.each([
    ['superseded', 'run.launch_superseded', () => gateway.store.start(aRunRecord({ launch: 2 }), null)],
    ['revoked', 'run.revoked', () => gateway.store.revoke(runId)],
    ['out of time', 'run.timed_out', () => gateway.store.start(aRunRecord(), null)],
    ['begun with a token for a local agent', 'run.unknown', () => gateway.store.start(aRunRecord(), 'hash')],
  ])('refuses a run that is %s', async (_, code, end) => {
    const identity = kube.addPod('dd-1');
    await end();

    expect(codeOf(await exchange(identity))).toEqual([401, code]);
  });

  it.each([
    ['got out', [{ target: '10.96.0.1:443', set: 'hard', outcome: 'connected' }]],
    ['tried nothing', []],
    ['tried only what need not fail', [{ target: '10.0.0.7:10250', set: 'posture', outcome: 'timeout' }]],
  ])('refuses a pod that %s', async (_, probes) => {
    const answer = await exchange(kube.addPod('dd-1'), { v: 1, runId, preflight: { ...clean, probes } });

    expect(codeOf(answer)).toEqual([400, 'request.malformed']);
    expect(kube.reviews).toBe(0);
  });

  it('asks the API server nothing for what is no identity, no exchange, or too large', async () => {
    const identity = kube.addPod('dd-1');
    const statuses = [
      (await exchange('ddrun_abc')).status,
      (await exchange(`a.${'b'.repeat(9000)}.c`)).status,
      (await exchange(identity, { v: 1, runId: 'x', preflight: clean })).status,
      (await exchange(identity, { v: 1, runId, preflight: clean, more: 1 })).status,
      (await exchange(identity, { v: 1, runId, preflight: clean, more: 'x'.repeat(40_000) })).status,
    ];

    expect(statuses).toEqual([401, 401, 400, 400, 413]);
    expect(kube.reviews).toBe(0);
  });

  it('may be tried again when the API server does not answer', async () => {
    const identity = kube.addPod('dd-1');
    kube.isDown = true;
    expect(codeOf(await exchange(identity))).toEqual([503, 'kube.unreachable']);
    kube.isDown = false;

    expect((await exchange(identity)).status).toBe(200);
  });

  it('begins the time of the run, however long its pod took to come', async () => {
    const clock = new ManualClock();
    const identities = { reviewer: kube, namespace, serviceAccount: 'drydock-agent', audience };
    await using later = await TestGateway.start({
      gitlab: { url: 'http://127.0.0.1:1', token: 'none' },
      identities,
      clock,
    });
    const startedAtMs = clock.nowMs();
    const { context } = aRunRecord();
    const hasty = {
      ...context,
      policy: { ...context.policy, budget: { ...context.policy.budget, deadlineSeconds: 60 } },
    };
    const deadlineAtMs = startedAtMs + 720_000;
    await later.store.start({ ...aRunRecord(), context: hasty, startSeconds: 600, startedAtMs, deadlineAtMs }, null);
    const body = { v: 1, runId, preflight: clean };

    await clock.advance(700_000); // of a minute of its own
    const { token } = RunToken.parse((await later.agent(kube.addPod('dd-1'), 'POST', agentRoutes.exchange, body)).json);
    await clock.advance(60_000);

    expect((await later.agent(token, 'GET', agentRoutes.context)).status).toBe(200);
    await clock.advance(800_000);
    expect((await later.agent(token, 'GET', agentRoutes.context)).status).toBe(401);
  });

  it('lets no other route take an identity, and knows no exchange without Kubernetes', async () => {
    const identity = kube.addPod('dd-1');
    expect(await works(identity)).toBe(401);

    await using plain = await TestGateway.start({ gitlab: { url: 'http://127.0.0.1:1', token: 'none' } });
    const answer = await plain.agent(identity, 'POST', agentRoutes.exchange, { v: 1, runId, preflight: clean });
    expect(codeOf(answer)).toEqual([404, 'request.not_found']);
  });
});
