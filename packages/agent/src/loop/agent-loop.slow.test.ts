import { describe, expect, it } from '@jest/globals';
import { BlockedError, Secret, StaleError, TransientError, silentLog, systemClock, type Clock } from '@drydock/core';
import {
  ManualClock,
  blocksOf,
  claudeFault,
  inOrder,
  reply,
  startFakeClaude,
  toolUse,
  type ClaudeReply,
  type ClaudeScript,
  type FakeClaude,
} from '@drydock/testkit';
import { runLoop, type LoopEnd, type ToolAnswer } from './agent-loop.ts';
import { AnthropicModel } from './anthropic-model.ts';
import { LoopBudget, type LoopLimits } from './budget.ts';
import type { ToolCall } from './model.ts';
import { sendTurn } from './send-turn.ts';
import { Transcript } from './transcript.ts';

const tools = ['finish_review', 'look', 'report_finding'].map((name) => ({
  name,
  description: `Tool ${name}.`,
  input_schema: { type: 'object' },
}));

interface Outcome {
  readonly end: LoopEnd;
  readonly calls: readonly ToolCall[];
  readonly turns: number;
}

const defaults: LoopLimits = {
  maxTurns: 12,
  maxCallsPerTurn: 4,
  maxCalls: 30,
  deadlineMs: Infinity,
  maxOutputTokens: 1000,
  maxRaisedOutputTokens: 4000,
};

/** The loop with counting tools: `look` answers, `finish_review` ends. */
async function loop(
  claude: FakeClaude,
  options: {
    readonly limits?: Partial<LoopLimits>;
    readonly answer?: (call: ToolCall) => ToolAnswer | Promise<ToolAnswer>;
    readonly clock?: Clock;
  } = {},
): Promise<Outcome> {
  const clock = options.clock ?? systemClock;
  const model = new AnthropicModel({ baseUrl: claude.url, token: new Secret(claude.apiKey) }, systemClock);
  const budget = new LoopBudget({ ...defaults, ...options.limits }, clock);
  const transcript = new Transcript({ model: 'claude-sonnet-5-5', system: 'Review.', tools, task: 'The change.' });
  const calls: ToolCall[] = [];
  const signal = new AbortController().signal;
  const facts = { model, clock, log: silentLog, random: () => 0, leftMs: () => budget.leftMs() };
  const end = await runLoop({
    transcript,
    budget,
    log: silentLog,
    send: (request) => sendTurn(request, facts, signal),
    runTool: async (call) => {
      calls.push(call);
      return options.answer?.(call) ?? { text: `done ${calls.length}`, isError: false };
    },
    isFinished: () => calls.some((call) => call.name === 'finish_review'),
    onTurn: () => undefined,
  });
  return { end, calls, turns: budget.turns };
}

async function loopOver(script: ClaudeScript | readonly ClaudeReply[], options: Parameters<typeof loop>[1] = {}) {
  const answers = typeof script === 'function' ? script : inOrder(script);
  await using claude = await startFakeClaude({ apiKey: 'key', script: answers });
  const outcome = await loop(claude, options);
  const requests = claude.requests.flatMap((call) => (call.request === null ? [] : [call.request]));
  return { ...outcome, requests };
}

const look = reply.toolUse('look', { at: 'a' });
const finish = reply.toolUse('finish_review', { summary: 'Fine.' });
const names = (calls: readonly ToolCall[]) => calls.map((call) => call.name);

describe('runLoop', () => {
  it('runs tools until the review is finished', async () => {
    const { end, calls, turns } = await loopOver([look, look, finish]);

    expect(end).toEqual({ kind: 'finished' });
    expect(names(calls)).toEqual(['look', 'look', 'finish_review']);
    expect(turns).toBe(3);
  });

  it('answers every call of a turn in the next message, in order, results alone', async () => {
    const { requests } = await loopOver([
      reply.blocks([
        { kind: 'text', text: 'I look twice.' },
        toolUse('look', { at: 'a' }),
        toolUse('look', { at: 'b' }),
      ]),
      finish,
    ]);

    const [, second] = requests;
    expect(second?.messages.at(-1)?.content).toMatchObject([
      { type: 'tool_result', content: 'done 1' },
      { type: 'tool_result', content: 'done 2' },
    ]);
  });

  it('marks failed calls, and answers calls over the cap without running them', async () => {
    const many = reply.blocks(Array.from({ length: 6 }, (_, at) => toolUse('look', { at })));
    const { calls, requests } = await loopOver([many, finish], {
      answer: (call) => ({ text: 'no', isError: call.name === 'look' }),
    });

    expect(names(calls)).toEqual(['look', 'look', 'look', 'look', 'finish_review']);
    const results = requests[1]?.messages.at(-1);
    expect(results === undefined ? [] : blocksOf(results).filter((block) => block.type === 'tool_result')).toHaveLength(
      6,
    );
    expect(JSON.stringify(results).match(/"is_error":true/g)).toHaveLength(6);
  });

  it('takes input that is no object as a call with wrong input', async () => {
    const { calls } = await loopOver([
      reply.blocks([{ kind: 'tool-use', name: 'look', input: {}, inputJson: '{"at": "a' }]),
      finish,
    ]);

    expect(calls[0]?.input).toBeNull();
  });

  it('asks once to finish, then ends with what there is', async () => {
    const text = reply.text('Looks good to me.');

    expect((await loopOver([text, finish])).end).toEqual({ kind: 'finished' });
    expect((await loopOver([text, text])).end).toMatchObject({ kind: 'early', code: 'run.incomplete' });
  });

  it('says "go on" once after an empty turn, with nothing beside the results', async () => {
    const { end, requests } = await loopOver([look, reply.empty(), finish]);

    expect(end).toEqual({ kind: 'finished' });
    expect(requests[2]?.messages.slice(-2)).toMatchObject([
      { role: 'assistant', content: [{ type: 'text' }] },
      { role: 'user', content: [{ type: 'text', text: 'Please go on.' }] },
    ]);
    expect((await loopOver([look, reply.empty(), reply.empty()])).end).toMatchObject({ kind: 'early' });
  });

  it('discards a turn that was cut inside a call and raises the cap', async () => {
    const cut = reply.cutToolUse('look', { at: 'a'.repeat(100) }, 20);
    const { end, calls, requests } = await loopOver([cut, look, finish]);

    expect(end).toEqual({ kind: 'finished' });
    expect(names(calls)).toEqual(['look', 'finish_review']);
    expect(requests.map((request) => request.max_tokens)).toEqual([1000, 2000, 2000]);
    expect(requests[1]?.messages).toEqual(requests[0]?.messages);
    expect((await loopOver(() => cut)).end).toMatchObject({ kind: 'early', code: 'run.incomplete' });
  });

  it('lets a cut text go on once', async () => {
    const cut = reply.stop('max_tokens', [{ kind: 'text', text: 'A long text' }]);

    expect((await loopOver([cut, finish])).end).toEqual({ kind: 'finished' });
    expect((await loopOver([cut, cut])).end).toMatchObject({ kind: 'early' });
  });

  it('sends a paused turn back as it came, five times at most', async () => {
    const pause = reply.stop('pause_turn', [{ kind: 'text', text: 'I wait.' }]);
    const { end, requests } = await loopOver([pause, pause, look, finish]);

    expect(end).toEqual({ kind: 'finished' });
    expect(requests[2]?.messages.at(-1)).toMatchObject({ role: 'assistant', content: [{}, {}] });
    const endless = await loopOver(() => pause);
    expect(endless.end).toMatchObject({ kind: 'early', code: 'run.incomplete' });
    expect(endless.turns).toBe(6);
  });

  it.each([reply.refusal(), reply.refusal({ partialText: 'I would rather' })])('ends at a refusal', async (refusal) => {
    const { end, turns } = await loopOver([look, refusal]);

    expect(end).toEqual({
      kind: 'early',
      code: 'model.refused',
      why: 'The model declined to go on with this change.',
    });
    expect(turns).toBe(2);
  });

  it('drops old results when the context is full, and never sends the same again', async () => {
    const long: ToolAnswer = { text: 'x'.repeat(2000), isError: false };
    const { end, requests } = await loopOver(
      [look, look, reply.fault(claudeFault.promptTooLong()), reply.stop('model_context_window_exceeded'), finish],
      { answer: () => long },
    );

    expect(end).toEqual({ kind: 'finished' });
    const sizes = requests.map((request) => JSON.stringify(request.messages).length);
    expect(sizes[3]).toBeLessThan(sizes[2] ?? 0);
    expect(sizes[4]).toBeLessThan(sizes[3] ?? 0);
  });

  it.each([claudeFault.promptTooLong(), claudeFault.tooLarge()])('ends when nothing is left to drop', async (fault) => {
    const { end, requests } = await loopOver(() => reply.fault(fault));

    expect(end).toMatchObject({ kind: 'early', code: 'model.context_full' });
    expect(requests).toHaveLength(1);
  });

  it('ends after a stop reason or block that it does not know, having run what was called', async () => {
    const reason = await loopOver([look, reply.stop('bored', [toolUse('report_finding', {})])]);
    const block = await loopOver([reply.stop('end_turn', [{ kind: 'raw', block: { type: 'hologram' } }])]);

    expect(reason.end).toMatchObject({ kind: 'early', code: 'model.bad_answer' });
    expect(names(reason.calls)).toEqual(['look', 'report_finding']);
    expect(block.end).toMatchObject({ kind: 'early', code: 'model.bad_answer' });
  });

  it('ends by its number of turns, and by its number of calls', async () => {
    const turns = await loopOver(() => look, { limits: { maxTurns: 3 } });
    const calls = await loopOver(() => look, { limits: { maxCalls: 5 } });

    expect(turns.end).toMatchObject({ kind: 'early', code: 'budget.turns_spent' });
    expect(turns.calls).toHaveLength(3);
    expect(calls.calls).toHaveLength(5);
  });

  it('begins no turn after the deadline', async () => {
    const clock = new ManualClock(0);
    const { end, calls } = await loopOver(() => look, {
      clock,
      limits: { deadlineMs: 2000 },
      answer: async () => {
        await clock.advance(1500);
        return { text: 'slow', isError: false };
      },
    });

    expect(end).toMatchObject({ kind: 'early', code: 'budget.time_spent' });
    expect(calls).toHaveLength(2);
  });

  it.each([
    claudeFault.errorEvent(4),
    claudeFault.malformedEvent(3),
    claudeFault.reset(),
    claudeFault.overloaded(),
    claudeFault.rateLimited(0),
    claudeFault.serverError(),
    claudeFault.badGateway(),
  ])('sends the same messages again after %j', async (fault) => {
    const { end, calls, requests } = await loopOver([reply.fault(fault, look), reply.fault(fault, look), look, finish]);

    expect(end).toEqual({ kind: 'finished' });
    expect(names(calls)).toEqual(['look', 'finish_review']);
    expect(JSON.stringify(requests[2])).toBe(JSON.stringify(requests[0]));
  });

  it('fails as a whole when the model stays away, or refuses us', async () => {
    await expect(loopOver(() => reply.fault(claudeFault.overloaded()))).rejects.toBeInstanceOf(TransientError);
    await expect(loopOver(() => reply.fault(claudeFault.spendLimit()))).rejects.toBeInstanceOf(BlockedError);
    await expect(loopOver(() => reply.fault(claudeFault.unauthorized()))).rejects.toBeInstanceOf(BlockedError);
  });

  it('runs no tool twice, wherever a stream is cut', async () => {
    const bytes = await streamBytes(look);
    let at = 0;
    // Odd requests of a pair are cut, so every turn comes once broken and once whole.
    await using claude = await startFakeClaude({
      apiKey: 'key',
      script: (request, { turn }) => {
        const answer = turn === 1 ? look : finish;
        if (turn !== 1 || wasCut) return answer;
        wasCut = true;
        return reply.fault(claudeFault.cut(at), answer);
      },
    });
    let wasCut = false;

    for (at = 0; at < bytes; at += 1) {
      wasCut = false;
      const { end, calls } = await loop(claude);
      expect({ at, end, calls: names(calls) }).toEqual({
        at,
        end: { kind: 'finished' },
        calls: ['look', 'finish_review'],
      });
    }
    expect(bytes).toBeGreaterThan(800);
  }, 300_000);

  it('pays for a prompt once: later turns read the cache', async () => {
    const system = 'Review. '.repeat(1000);
    await using claude = await startFakeClaude({ apiKey: 'key', script: inOrder([look, look, finish]) });
    const model = new AnthropicModel({ baseUrl: claude.url, token: new Secret('key') }, systemClock);
    const transcript = new Transcript({ model: 'claude-sonnet-5-5', system, tools, task: 'The change. '.repeat(500) });
    const signal = new AbortController().signal;
    let isDone = false;

    await runLoop({
      transcript,
      budget: new LoopBudget(defaults, systemClock),
      log: silentLog,
      send: (request) => model.reply(request, signal),
      runTool: async (call) => {
        isDone = call.name === 'finish_review';
        return { text: 'x'.repeat(3000), isError: false };
      },
      isFinished: () => isDone,
      onTurn: () => undefined,
    });

    const usage = claude.requests.map((call) => (call.outcome.kind === 'answered' ? call.outcome.usage : null));
    expect(usage[0]?.cache_read_input_tokens).toBe(0);
    expect(usage[1]?.cache_read_input_tokens).toBeGreaterThan(3000);
    expect(usage[2]?.cache_read_input_tokens).toBeGreaterThan((usage[1]?.cache_read_input_tokens ?? 0) + 700);
  });

  it('lets the gateway say that a run is stale', async () => {
    const stale = new StaleError('run.revoked', 'revoked');
    const parts = {
      transcript: new Transcript({ model: 'm', system: 's', tools, task: 't' }),
      budget: new LoopBudget(defaults, systemClock),
      log: silentLog,
      send: () => Promise.reject(stale),
      runTool: async () => ({ text: '', isError: false }),
      isFinished: () => false,
      onTurn: () => undefined,
    };

    await expect(runLoop(parts)).rejects.toBe(stale);
  });
});

/** How many bytes the answer has on the wire. */
async function streamBytes(answer: ClaudeReply): Promise<number> {
  await using claude = await startFakeClaude({ apiKey: 'key', script: () => answer });
  const response = await fetch(`${claude.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': 'key', 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'claude-sonnet-5-5',
      max_tokens: 1000,
      stream: true,
      messages: [{ role: 'user', content: 'x' }],
    }),
  });
  return (await response.arrayBuffer()).byteLength;
}
