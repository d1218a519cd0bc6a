import { describe, expect, it } from '@jest/globals';
import { answerKey, answerScope } from './answer-key.ts';

const facts = {
  scope: answerScope('', { forge: 'gitlab', projectId: '42', iid: 7 }),
  baseUrl: 'https://api.anthropic.com',
  betas: ['one'],
  json: '{"model":"m"}',
};
const other = (changes: Partial<typeof facts>) => answerKey({ ...facts, ...changes });

describe('answerKey', () => {
  it('is the same for the same call, of whichever merge request of the project', () => {
    const scope = answerScope('', { forge: 'gitlab', projectId: '42', iid: 8 });

    expect(other({ scope })).toBe(answerKey(facts));
    expect(other({ baseUrl: 'https://api.anthropic.com/' })).toBe(answerKey(facts));
    expect(answerKey(facts)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    ['a byte of the body', { json: '{"model":"n"}' }],
    ['the server', { baseUrl: 'https://api.anthropic.com.example' }],
    ['the protocol', { baseUrl: 'http://api.anthropic.com' }],
    ['the path of the server', { baseUrl: 'https://api.anthropic.com/other' }],
    ['the betas', { betas: [] }],
    ['their order', { betas: ['two', 'one'] }],
    ['the project', { scope: answerScope('', { forge: 'gitlab', projectId: '43', iid: 7 }) }],
    ['the forge', { scope: answerScope('', { forge: 'gitlab-eu', projectId: '42', iid: 7 }) }],
    ['the installation', { scope: answerScope('/home/ada/shop', { forge: 'gitlab', projectId: '42', iid: 7 }) }],
  ])('is another when %s is another', (_, changes) => {
    expect(other(changes)).not.toBe(answerKey(facts));
  });

  it('keeps its parts apart, whatever stands in them', () => {
    const ref = (forge: string, projectId: string) => ({ forge, projectId, iid: 1 });

    expect(answerScope('a', ref('b","c', '1'))).not.toBe(answerScope('a","b', ref('c', '1')));
    expect(other({ scope: 'x"]\n', json: 'y' })).not.toBe(other({ scope: 'x', json: '"]\ny' }));
  });
});
