import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewPolicy, Secret, systemClock } from '@drydock/core';
import {
  aGitRepository,
  claudeFault,
  reply,
  scriptedReviewer,
  startFakeClaude,
  type ClaudeScript,
  type FakeClaude,
  type GitRepositoryFixture,
} from '@drydock/testkit';
import type { ReviewEnd, ReviewProgress, ReviewSettings } from './review-settings.ts';
import { runReview } from './run-review.ts';
import { testReviewSettings } from './testing/test-settings.ts';

const before =
  'export function sum(list) {\n  let s = 0;\n  for (let i = 0; i < list.length; i++) s += list[i];\n  return s;\n}\n';
const after = before.replace('i < list', 'i <= list');
const model = 'claude-sonnet-5-5';

describe('runReview of a range', () => {
  let folder: string;
  let repository: GitRepositoryFixture;
  let claude: FakeClaude;
  let baseSha: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-run-review-'));
    repository = await aGitRepository();
    baseSha = await repository.commit({ 'src/sum.js': before, 'README.md': 'Sums.\n' });
    claude = await startFakeClaude({ apiKey: 'key-of-the-fake', script: scriptedReviewer() });
  });
  afterEach(async () => {
    await claude[Symbol.asyncDispose]();
    await repository[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const settings = (changes: Partial<ReviewSettings> = {}): ReviewSettings =>
    testReviewSettings(folder, {
      subject: {
        kind: 'local',
        wanted: { cwd: repository.gitDir, base: baseSha, head: 'main', work: 'none', isRoot: false },
      },
      model: {
        kind: 'server',
        baseUrl: claude.url,
        apiKey: new Secret(claude.apiKey),
        name: null,
        pricesJson: null,
        silenceMs: 5000,
        callMs: 20_000,
      },
      policy: ReviewPolicy.parse({ model }),
      cacheDir: join(folder, 'cache'),
      ...changes,
    });
  async function play(
    changes: Partial<ReviewSettings> = {},
    signal = new AbortController().signal,
    onProgress: (progress: ReviewProgress) => void = () => undefined,
  ): Promise<{ readonly end: ReviewEnd; readonly progress: readonly ReviewProgress[] }> {
    const progress: ReviewProgress[] = [];
    const end = await runReview(settings(changes), {
      clock: systemClock,
      mayPost: null,
      signal,
      onProgress: (event) => {
        progress.push(event);
        onProgress(event);
      },
    });
    return { end, progress };
  }
  const paidCalls = () => claude.requests.filter(({ outcome }) => outcome.kind === 'answered').length;
  function reportOf(end: ReviewEnd) {
    if (end.kind !== 'reviewed') throw new Error(`it ended as ${JSON.stringify(end)}`);
    return end.report;
  }
  const leftovers = async () => (await readdir(folder)).filter((name) => name !== 'cache');

  it('tells what is wrong with the change, and leaves nothing behind', async () => {
    await repository.commit({ 'src/sum.js': after });

    const { end, progress } = await play();

    expect(reportOf(end)).toMatchObject({
      change: { kind: 'local', webUrl: null, diffRefs: { baseSha } },
      model,
      partial: null,
      verdict: 'comment',
      findings: [{ path: 'src/sum.js', startLine: 3, category: 'correctness', placement: 'inline', isNew: true }],
      changedFiles: 1,
    });
    expect(reportOf(end).usage.costUsd).toBeGreaterThan(0);
    expect(progress[0]).toMatchObject({ kind: 'change' });
    expect(progress.map((event) => (event.kind === 'agent' ? event.entry.event : null))).toContainEqual({
      kind: 'stage-ended',
      stage: 'submit',
      durationMs: expect.any(Number),
    });
    expect(await leftovers()).toEqual([]);
  });

  it('pays nothing for what was asked before, and names the same findings', async () => {
    await repository.commit({ 'src/sum.js': after });

    const first = reportOf((await play()).end);
    const paidOnce = paidCalls();
    const second = reportOf((await play()).end);
    const anew = reportOf((await play({ cacheDir: null })).end);

    expect(first.usage.calls).toBe(paidOnce);
    expect(second.usage).toMatchObject({ calls: 0, reusedCalls: paidOnce, costUsd: 0 });
    expect(paidCalls()).toBe(2 * paidOnce); // those of the review without the cache
    const identities = (report: typeof first) => report.findings.map(({ identity }) => identity);
    expect(identities(second)).toEqual(identities(first));
    expect(identities(anew)).toEqual(identities(first));
    expect(first.findings).not.toEqual([]);
  });

  it('keeps the identity of a finding whose lines have moved', async () => {
    await repository.commit({ 'src/sum.js': after });
    const first = reportOf((await play()).end);
    await repository.commit({ 'src/sum.js': `// Sums.\n\n${after}` });

    const moved = reportOf((await play()).end);

    expect(moved.findings).toMatchObject([{ identity: first.findings[0]?.identity, startLine: 5 }]);
  });

  it('lets flags go over the wishes of the repository, and these over the policy', async () => {
    baseSha = await repository.commit({
      '.drydock.yaml': 'maxUsdPerRun: 0.000001\nignorePaths: ["*.md"]\nfailOn: high\n',
    });
    await repository.commit({ 'src/sum.js': after, 'lib/sum.js': after, 'README.md': 'New.\n' });

    const wished = (await play()).end;
    const overruled = reportOf((await play({ maxCostUsd: 5, skip: ['lib/**'] })).end);
    const only = reportOf((await play({ maxCostUsd: 5, only: ['lib/**'] })).end);

    expect(wished).toMatchObject({ kind: 'over-budget' });
    expect(overruled).toMatchObject({ failOn: 'high', findings: [{ path: 'src/sum.js' }] });
    expect(overruled.notRead.map(({ path }) => path).sort()).toEqual(['README.md', 'lib/sum.js']);
    expect(only.findings.map(({ path }) => path)).toEqual(['lib/sum.js']);
  });

  it.each<[string, string, object]>([
    ['is switched off', 'enabled: false\n', { kind: 'nothing', why: expect.stringContaining('enabled: false') }],
    ['is wrong', 'minSeverty: high\n', { kind: 'bad-config', why: expect.stringContaining('.drydock.yaml:1:1') }],
    ['ignores it all', 'ignorePaths: ["**"]\n', { kind: 'nothing', why: expect.stringContaining('ignored') }],
  ])('asks no model where the base %s', async (_, config, expected) => {
    baseSha = await repository.commit({ '.drydock.yaml': config });
    await repository.commit({ 'src/sum.js': after });

    expect((await play()).end).toMatchObject(expected);
    expect(claude.requests).toEqual([]);
  });

  it.each<[string, ClaudeScript, object]>([
    ['refuses our key', () => reply.fault(claudeFault.unauthorized()), { kind: 'failed', code: 'model.unauthorized' }],
    ['breaks off each time', () => reply.fault({ kind: 'cut', atByte: 40 }), { kind: 'failed' }],
    ['is silent', () => reply.fault({ kind: 'hang' }), { kind: 'failed' }],
  ])('says so when the model %s', async (_, script, expected) => {
    claude.setScript(script);
    await repository.commit({ 'src/sum.js': after });

    const { end } = await play({
      model: { ...serverModel(settings()), silenceMs: 500, callMs: 3000 },
      policy: ReviewPolicy.parse({ model, budget: { deadlineSeconds: 30 } }),
    });

    expect(end).toMatchObject(expected);
    expect(await leftovers()).toEqual([]);
  });

  it('stops before it costs more than it may, and tells what it found until then', async () => {
    await repository.commit({ 'src/sum.js': after });
    const rates = { input: 1000, output: 0, cacheRead: 1000, cacheWrite: 1000 };
    const dear = { ...serverModel(settings()), pricesJson: JSON.stringify({ [model]: rates }) };
    const free = { cacheDir: null, model: dear, maxCostUsd: 10_000 };
    const whole = reportOf((await play(free)).end);
    const maxCostUsd = 0.6 * (whole.usage.costUsd ?? 0); // more than the first call, less than all

    const report = reportOf((await play({ ...free, maxCostUsd })).end);

    expect(report.partial?.code).toBe('budget.run_spent');
    expect(report.usage.calls).toBeGreaterThan(0);
    expect(report.usage.costUsd).toBeLessThanOrEqual(maxCostUsd);
  });

  it('ends at once when told to, tells the cost so far, and leaves no agent', async () => {
    const stop = new AbortController();
    const scripted = scriptedReviewer();
    claude.setScript((request, place) => (place.turn === 1 ? scripted(request, place) : reply.fault({ kind: 'hang' })));
    await repository.commit({ 'src/sum.js': after });

    const { end } = await play({}, stop.signal, (progress) => {
      if (progress.kind === 'agent' && progress.entry.event.kind === 'turn') stop.abort();
    });

    expect(end).toMatchObject({ kind: 'cancelled', usage: { calls: expect.any(Number) } });
    expect(await leftovers()).toEqual([]);
  });

  it('reviews with fixed rules where no model is wanted', async () => {
    await repository.commit({ 'src/sum.js': after });

    const report = reportOf((await play({ model: { kind: 'scripted' } })).end);

    expect(report).toMatchObject({ model: 'scripted', findings: [{ path: 'src/sum.js', startLine: 3 }] });
    expect(report.usage.costUsd).toBe(0);
    expect(claude.requests).toEqual([]);
  });

  it('says that there is nothing, or why it cannot be reviewed, before any model is asked', async () => {
    const same = await play({ subject: { kind: 'local', wanted: { ...wantedOf(settings()), base: 'main' } } });
    const unknown = await play({ subject: { kind: 'local', wanted: { ...wantedOf(settings()), base: 'no-such' } } });

    expect(same.end.kind).toBe('nothing');
    expect(unknown.end).toMatchObject({ kind: 'refused', hint: expect.any(String) });
    expect(claude.requests).toEqual([]);
  });
});

function serverModel({ model: used }: ReviewSettings) {
  if (used.kind !== 'server') throw new Error('a server is used');
  return used;
}

function wantedOf({ subject }: ReviewSettings) {
  if (subject.kind !== 'local') throw new Error('a range is reviewed');
  return subject.wanted;
}
