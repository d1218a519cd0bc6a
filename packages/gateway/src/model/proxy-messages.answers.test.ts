import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReviewPolicy, TransientError, silentLog, taskIdOf } from '@drydock/core';
import { ManualClock, claudeFault, inOrder, reply, startFakeClaude, type FakeClaude } from '@drydock/testkit';
import type { AnswerStore } from './answer-store.ts';
import { DiskAnswerStore } from './disk-answer-store.ts';
import { TestProxy, apiKey, day, plainBody } from './testing/test-proxy.ts';

const good = reply.text('All is well.');

describe('proxyMessages with an answer store', () => {
  let claude: FakeClaude;
  let folder: string;
  let clock: ManualClock;
  let proxy: TestProxy;
  let ids = 0;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-answers-'));
    clock = new ManualClock(Date.parse(`${day}T01:00:00Z`));
    claude = await startFakeClaude({ apiKey, script: () => good });
    proxy = await TestProxy.start({ baseUrl: claude.url, clock });
    const createId = () => String((ids += 1));
    proxy.answers = await DiskAnswerStore.open({ folder }, { clock, log: silentLog, createId });
  });

  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await claude.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const requests = () => claude.requests.length;
  /** The answer is stored once the agent has it: whoever asks again waits for `proxy.idle()`. */
  const ask = async (body: object = plainBody, headers: Record<string, string> = {}) => {
    const response = await proxy.post(body, headers);
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
  };

  it.each([
    ['a stream', true],
    ['a message', false],
  ])('answers the same call again with the same bytes of %s, at no cost', async (_, stream) => {
    const body = { ...plainBody, stream };
    const first = await ask(body);
    await proxy.idle();
    const paid = await proxy.spent();

    const second = await ask(body);

    expect(second).toEqual(first);
    expect(requests()).toBe(1);
    expect(proxy.lookups).toEqual(['miss', 'hit']);
    expect(proxy.calls).toHaveLength(1);
    expect(await proxy.spent()).toEqual({ ...paid, usage: { ...paid.usage, reusedCalls: 1 } });
    expect(await proxy.usage()).toMatchObject({ calls: 1, reusedCalls: 1 });
  });

  it('answers a later launch, of another merge request of the project too', async () => {
    const first = await ask();
    await proxy.idle();
    const subject = { forge: 'gitlab', projectId: '42', iid: 8 };
    await proxy.startRun({ subject, taskId: taskIdOf('review', subject), launch: 3 });

    expect(await ask()).toEqual(first);
    expect(requests()).toBe(1);
    expect(await proxy.usage()).toMatchObject({ calls: 0, reusedCalls: 1, costUsd: 0 });
  });

  it('answers though the budget is spent', async () => {
    await ask();
    await proxy.idle();
    await proxy.startRun({
      policy: ReviewPolicy.parse({ budget: { usdPerRun: 1e-9, usdPerDay: 1e-9, tokensPerRun: 1 } }),
    });

    expect((await ask()).status).toBe(200);
    expect((await ask({ ...plainBody, messages: [{ role: 'user', content: 'more' }] })).status).toBe(402);
    expect(requests()).toBe(1);
  });

  it.each<[string, () => Promise<unknown>, object]>([
    ['a byte is another', async () => null, { ...plainBody, messages: [{ role: 'user', content: 'hello!' }] }],
    ['the model is another', async () => null, { ...plainBody, model: 'claude-haiku-5-5' }],
    ['the cap is another', async () => null, { ...plainBody, max_tokens: 999 }],
    ['the form is another', async () => null, { ...plainBody, stream: false }],
    [
      'the project is another',
      async () => proxy.startRun({ subject: { forge: 'gitlab', projectId: '43', iid: 7 } }),
      plainBody,
    ],
    [
      'the forge is another',
      async () => proxy.startRun({ subject: { forge: 'gitlab-eu', projectId: '42', iid: 7 } }),
      plainBody,
    ],
    [
      'the installation is another',
      async () => (proxy.settings = { ...proxy.settings, installation: '/home/ada' }),
      plainBody,
    ],
    [
      'the server is another',
      async () =>
        (proxy.settings = { ...proxy.settings, baseUrl: proxy.settings.baseUrl.replace('127.0.0.1', 'localhost') }),
      plainBody,
    ],
    ['a day has passed', async () => clock.advance(24 * 3_600_000 + 1), plainBody],
  ])('asks the model when %s', async (_, change, body) => {
    await ask();
    await proxy.idle();
    await change();

    expect((await ask(body)).status).toBe(200);
    expect(requests()).toBe(2);
    expect(proxy.lookups).toEqual(['miss', 'miss']);
  });

  it('takes a call for the same whatever of it does not go upstream', async () => {
    await ask();
    await proxy.idle();

    await ask({ ...plainBody, metadata: { user_id: 'someone' } }, { 'anthropic-beta': 'not-allowed', 'x-trace': '1' });

    expect(requests()).toBe(1);
  });

  it('lets equal calls at the same time pay once each', async () => {
    claude.setScript(() => reply.fault(claudeFault.slow(10), good));

    const [left, right] = await Promise.all([ask(), ask()]);
    await proxy.idle();

    expect([left.status, right.status]).toEqual([200, 200]);
    expect(requests()).toBe(2);
    expect((await proxy.usage())?.calls).toBe(2);
    expect([left, right]).toContainEqual(await ask());
    expect(requests()).toBe(2);
  });

  it.each([
    ['was an error', claudeFault.invalidRequest()],
    ['broke off', claudeFault.cut(400)],
    ['held an error event', claudeFault.errorEvent(2)],
    ['fell silent', claudeFault.silence(3)],
  ])('keeps no answer that %s', async (_, fault) => {
    claude.setScript(inOrder([reply.fault(fault, good), good]));
    await ask();
    await proxy.idle();

    expect((await ask()).text).toContain('message_stop');
    expect(requests()).toBe(2);
    expect(proxy.lookups).toEqual(['miss', 'miss']);
  });

  it('keeps no refusal of the model', async () => {
    claude.setScript(inOrder([reply.refusal(), reply.text('Gladly.')]));
    await ask();
    await proxy.idle();

    expect((await ask()).text).toContain('Gladly.');
  });

  it('stores no key of ours, nor an answer that holds it', async () => {
    await ask();
    await proxy.idle();
    claude.setScript(() => reply.text(`You sent ${apiKey}.`));
    await ask({ ...plainBody, stream: false });
    await proxy.idle();
    await ask({ ...plainBody, stream: false });
    await proxy.idle();

    expect(requests()).toBe(3);
    for (const name of await readdir(folder)) expect(await readFile(join(folder, name), 'utf8')).not.toContain(apiKey);
  });

  it('asks the model when the stored answer is spoiled', async () => {
    await ask();
    await proxy.idle();
    const [name = ''] = await readdir(folder);
    await rm(join(folder, name));

    expect((await ask()).status).toBe(200);
    expect(requests()).toBe(2);
  });

  it('gives nothing to an agent that has left', async () => {
    await ask();
    await proxy.idle();
    proxy.abort.abort();

    const response = await ask().catch(() => null);

    expect(response?.text ?? '').not.toContain('All is well.');
    expect(requests()).toBe(1);
    expect((await proxy.usage())?.reusedCalls).toBe(0);
  });

  it('ends a hit when its agent leaves in the middle', async () => {
    const body = Buffer.alloc(64 * 1024 * 1024, 'x');
    proxy.answers = { get: async () => ({ body }), put: async () => undefined };
    const request = httpRequest(proxy.url, { method: 'POST' });
    request.end(JSON.stringify(plainBody));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await once(response, 'data');
    response.destroy();

    await once(proxy.abort.signal, 'abort');

    expect(requests()).toBe(0);
  });

  it('keeps an answer that came whole though nobody waited for its end', async () => {
    const request = httpRequest(proxy.url, { method: 'POST' });
    request.end(JSON.stringify(plainBody));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    for await (const chunk of response) if (String(chunk).includes('message_stop')) break;
    await proxy.idle();
    proxy.abort = new AbortController();

    expect((await ask()).text).toContain('All is well.');
    expect(requests()).toBe(1);
  });

  describe('that fails', () => {
    const broken: AnswerStore = {
      get: async () => Promise.reject(new TransientError('queue.unreachable', 'no')),
      put: async () => Promise.reject(new Error('no')),
    };
    const hanging: AnswerStore = { get: () => new Promise(() => undefined), put: () => new Promise(() => undefined) };

    it('goes on without one that throws, and says so', async () => {
      const warnings: string[] = [];
      proxy.log = { ...silentLog, warn: (_, message) => warnings.push(message) };
      proxy.answers = broken;

      expect((await ask()).status).toBe(200);
      expect((await ask()).status).toBe(200);

      expect(proxy.lookups).toEqual(['failed', 'failed']);
      expect(requests()).toBe(2);
      expect(warnings).toContain('the answer store fails');
    });

    it('goes on without one that hangs, after two seconds', async () => {
      proxy.answers = hanging;
      const asked = ask();
      while (clock.sleeping === 0) await new Promise((resolve) => setTimeout(resolve, 1));

      expect(requests()).toBe(0);
      await clock.advance(2000);

      expect((await asked).text).toContain('message_stop');
      expect(proxy.lookups).toEqual(['failed']);
    });

    it('lets go of one that hangs when the agent leaves', async () => {
      proxy.answers = hanging;
      const asked = ask().catch(() => null);
      while (clock.sleeping === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      proxy.abort.abort();
      await asked;

      expect(clock.sleeping).toBe(0);
      expect(requests()).toBe(0);
    });
  });
});
