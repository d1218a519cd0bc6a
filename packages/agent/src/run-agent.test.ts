import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, systemClock } from '@drydock/core';
import { aGitRepository, inOrder, reply, startFakeClaude, toolUse } from '@drydock/testkit';
import { exitCodes } from './exit-codes.ts';
import { AnthropicModel } from './loop/anthropic-model.ts';
import { runAgent } from './run-agent.ts';
import { aContext } from './testing/builders.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let workDir: string;
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'drydock-agent-'));
});
afterEach(async () => {
  await rm(workDir, { recursive: true, force: true });
});

function run(gateway: TestGateway, stop = new AbortController().signal): Promise<number> {
  return runAgent(
    {
      config: { gatewayUrl: gateway.url, runTokenFile: '', workDir, path: '/usr/local/bin:/usr/bin:/bin' },
      token: new Secret(gateway.token),
      clock: systemClock,
      random: () => 0,
      startedAtMs: systemClock.monotonicMs(),
      loadModel: async (settings) => new AnthropicModel(settings, systemClock),
      write: () => undefined,
    },
    stop,
  );
}

const claim = {
  path: 'src/sum.js',
  side: 'new',
  startLine: 2,
  endLine: 2,
  severity: 'high',
  category: 'correctness',
  confidence: 0.9,
  title: 'It subtracts',
  quotedCode: '  return a - b;',
  reason: 'sum is to add',
};

async function aChange() {
  const repository = await aGitRepository();
  const baseSha = await repository.commit({ 'src/sum.js': 'function sum(a, b) {\n  return a + b;\n}\n' });
  const headSha = await repository.commit({ 'src/sum.js': 'function sum(a, b) {\n  return a - b;\n}\n' });
  return { repository, refs: { baseSha, startSha: baseSha, headSha } };
}

describe('runAgent', () => {
  it('reviews a change and hands in what it found', async () => {
    const { repository, refs } = await aChange();
    await using _repository = repository;
    await using claude = await startFakeClaude({
      apiKey: 'key',
      script: inOrder([
        reply.blocks([toolUse('show_diff', {}), toolUse('show_diff', { path: 'src/sum.js' })]),
        reply.toolUse('report_finding', claim),
        reply.toolUse('finish_review', { summary: 'It breaks sum.' }),
      ]),
    });
    await using gateway = await startTestGateway({
      gitDir: repository.gitDir,
      context: aContext(refs),
      model: { url: claude.url, apiKey: claude.apiKey },
    });

    const code = await run(gateway);

    expect(gateway.violations).toEqual([]);
    expect(gateway.results).toMatchObject([
      {
        v: 1,
        result: {
          kind: 'review',
          headSha: refs.headSha,
          partial: null,
          summary: 'It breaks sum.',
          findings: [{ path: 'src/sum.js', startLine: 2, quotedCode: '  return a - b;', source: { kind: 'model' } }],
          changedFiles: 1,
          notRead: [],
          turns: 3,
        },
      },
    ]);
    expect(code).toBe(exitCodes.handedIn);
    expect(gateway.events.flatMap((event) => (event.kind === 'stage-started' ? [event.stage] : []))).toEqual([
      'context',
      'checkout',
      'diff',
      'review',
      'submit',
    ]);
    expect(await readdir(workDir)).toEqual(['repository.git']);
  });
});
