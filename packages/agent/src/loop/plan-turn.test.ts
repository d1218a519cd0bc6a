import { describe, expect, it } from '@jest/globals';
import type { AssistantBlock, StopReason } from './model.ts';
import { noTries, planTurn, type LoopTries, type TurnPlan } from './plan-turn.ts';

const text: AssistantBlock = { kind: 'text', text: 'Hm.', raw: { type: 'text', text: 'Hm.' } };
const blank: AssistantBlock = { kind: 'text', text: ' \n', raw: { type: 'text', text: ' \n' } };
const thinking: AssistantBlock = { kind: 'opaque', raw: { type: 'thinking' } };
const strange: AssistantBlock = { kind: 'unknown', raw: { type: 'hologram' } };
const call: AssistantBlock = {
  kind: 'tool-use',
  call: { id: 't', name: 'log', input: {} },
  raw: { type: 'tool_use', id: 't' },
};
const tried = (tries: Partial<LoopTries>): LoopTries => ({ ...noTries, ...tries });

describe('planTurn', () => {
  it.each<[StopReason, readonly AssistantBlock[], LoopTries, Partial<TurnPlan>]>([
    ['tool_use', [text, call], noTries, { kind: 'run-tools', thenEnd: null }],
    ['end_turn', [call], noTries, { kind: 'run-tools', thenEnd: null }],
    ['end_turn', [text], noTries, { kind: 'say', tried: 'unfinished' }],
    ['end_turn', [text], tried({ unfinished: 1 }), { kind: 'end' }],
    ['end_turn', [], noTries, { kind: 'say', tried: 'empty', text: 'Please go on.' }],
    ['end_turn', [blank, thinking], noTries, { kind: 'say', tried: 'empty' }],
    ['end_turn', [], tried({ empty: 1 }), { kind: 'end' }],
    ['tool_use', [text], noTries, { kind: 'say', tried: 'unfinished' }],
    ['stop_sequence', [text], noTries, { kind: 'say', tried: 'unfinished' }],
    ['max_tokens', [text, call], noTries, { kind: 'raise-output-cap' }],
    ['max_tokens', [call, text], noTries, { kind: 'run-tools', thenEnd: null }],
    ['max_tokens', [text], noTries, { kind: 'say', tried: 'cut' }],
    ['max_tokens', [text], tried({ cut: 1 }), { kind: 'end' }],
    ['max_tokens', [thinking], noTries, { kind: 'raise-output-cap' }],
    ['pause_turn', [text], tried({ paused: 4 }), { kind: 'continue-pause' }],
    ['pause_turn', [text], tried({ paused: 5 }), { kind: 'end' }],
    ['refusal', [text], noTries, { kind: 'end' }],
    ['model_context_window_exceeded', [text], noTries, { kind: 'shrink' }],
  ])('after %s with %j and %j', (stopReason, content, tries, plan) => {
    expect(planTurn({ content, stopReason }, tries)).toMatchObject(plan);
  });

  it('ends after anything that it does not know, but runs what was called', () => {
    const end = { code: 'model.bad_answer' };

    expect(planTurn({ content: [call], stopReason: 'unknown' }, noTries)).toMatchObject({
      kind: 'run-tools',
      calls: [{ id: 't' }],
      thenEnd: end,
    });
    expect(planTurn({ content: [strange], stopReason: 'end_turn' }, noTries)).toMatchObject({
      calls: [],
      thenEnd: end,
    });
  });
});
