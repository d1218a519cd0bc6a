import { describe, expect, it } from '@jest/globals';
import type { AssistantBlock, ModelRequest, RequestMessage } from './model.ts';
import { Transcript } from './transcript.ts';

const head = {
  model: 'm',
  system: 'Be good.',
  tools: [{ name: 'log', description: '', input_schema: {} }],
  task: 'Do.',
};

function callBlock(id: string): AssistantBlock {
  return {
    kind: 'tool-use',
    call: { id, name: 'log', input: {} },
    raw: { type: 'tool_use', id, name: 'log', input: {} },
  };
}

function turn(transcript: Transcript, ids: readonly string[], content = 'x'.repeat(500)): void {
  transcript.noteAnswered();
  transcript.addTurn(ids.map(callBlock));
  transcript.addResults(ids.map((id) => ({ type: 'tool_result', tool_use_id: id, content })));
}

function marksOf(request: ModelRequest): readonly string[] {
  const places = request.messages.flatMap((message, at) =>
    message.content.flatMap((block, index) => ('cache_control' in block ? [`${at}.${index}`] : [])),
  );
  return [...request.system.flatMap((block) => ('cache_control' in block ? ['system'] : [])), ...places];
}

function results(messages: readonly RequestMessage[]): readonly string[] {
  return messages.flatMap((message) =>
    message.role === 'user'
      ? message.content.flatMap((part) => (part.type === 'tool_result' ? [part.content] : []))
      : [],
  );
}

describe('Transcript', () => {
  it('sends the same bytes when nothing has changed', () => {
    const transcript = new Transcript(head);
    turn(transcript, ['a', 'b']);

    expect(JSON.stringify(transcript.request(100))).toBe(JSON.stringify(transcript.request(100)));
  });

  it('marks system, task, the last request and the end, and no more than four places', () => {
    const transcript = new Transcript(head);

    expect(marksOf(transcript.request(100))).toEqual(['system', '0.0']);
    turn(transcript, ['a', 'b']);
    expect(marksOf(transcript.request(100))).toEqual(['system', '0.0', '2.1']);
    turn(transcript, ['c']);
    expect(marksOf(transcript.request(100))).toEqual(['system', '0.0', '2.1', '4.0']);
    turn(transcript, ['d']);
    expect(marksOf(transcript.request(100))).toEqual(['system', '0.0', '4.0', '6.0']);
  });

  it('only ever adds to what was sent before', () => {
    const transcript = new Transcript(head);
    const withoutMarks = (request: ModelRequest) =>
      JSON.stringify(request.messages).replaceAll(',"cache_control":{"type":"ephemeral"}', '').slice(0, -1);
    let before = withoutMarks(transcript.request(100));

    for (const id of ['a', 'b', 'c', 'd']) {
      turn(transcript, [id, `${id}2`]);
      const now = withoutMarks(transcript.request(100));
      expect(now.startsWith(before)).toBe(true);
      before = now;
    }
  });

  it('joins a turn that goes on after a pause, and marks nothing in it', () => {
    const transcript = new Transcript(head);
    transcript.addTurn([{ kind: 'opaque', raw: { type: 'server_tool_use', id: 's' } }]);

    expect(transcript.request(100).messages.at(-1)).toEqual({
      role: 'assistant',
      content: [{ type: 'server_tool_use', id: 's' }],
    });
    transcript.addTurn([callBlock('a')]);
    expect(transcript.request(100).messages.at(-1)?.content).toHaveLength(2);
  });

  it('gives the API no blank text and no empty turn', () => {
    const transcript = new Transcript(head);
    transcript.addTurn([{ kind: 'text', text: '\n', raw: { type: 'text', text: '\n' } }]);
    transcript.addText('Go on.');

    expect(transcript.request(100).messages[1]).toEqual({
      role: 'assistant',
      content: [{ type: 'text', text: '(no answer)' }],
    });
  });

  it('drops the older half of the results, until there is nothing left to drop', () => {
    const transcript = new Transcript(head);
    for (const id of ['a', 'b', 'c', 'd']) turn(transcript, [id], id.repeat(500));
    turn(transcript, ['short'], 'recorded');

    expect(transcript.shrink()).toBe(true);
    expect(results(transcript.request(1).messages).map((text) => text.slice(0, 8))).toEqual([
      '[dropped',
      '[dropped',
      'cccccccc',
      'dddddddd',
      'recorded',
    ]);
    expect([transcript.shrink(), transcript.shrink(), transcript.shrink()]).toEqual([true, true, false]);
  });
});
