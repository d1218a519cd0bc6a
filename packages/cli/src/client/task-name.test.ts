import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aTask } from './testing/fake-control-api.ts';
import { parseTaskName } from './task-name.ts';

/** Any character. The unit `binary` of fast-check is the same, after a second in which it lists them all. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

const tasks = [
  aTask(7),
  aTask(70),
  aTask(8, {
    projectPath: 'Shop/sub/Web',
    subject: { forge: 'gitlab', projectId: '43', iid: 8 },
    taskId: 'review:gitlab:43:8',
  }),
];
const matched = (text: string) => tasks.filter((task) => parseTaskName(text).matches(task)).map(({ taskId }) => taskId);

describe('parseTaskName', () => {
  it.each([
    ['review:gitlab:42:7', 'id', ['review:gitlab:42:7']],
    ['review:gitlab:42:*', 'pattern', ['review:gitlab:42:7', 'review:gitlab:42:70']],
    ['*:7*', 'pattern', ['review:gitlab:42:7', 'review:gitlab:42:70']],
    ['shop/api!7', 'merge-request', ['review:gitlab:42:7']],
    ['shop/api!7*', 'pattern', ['review:gitlab:42:7', 'review:gitlab:42:70']],
    ['shop/api', 'pattern', ['review:gitlab:42:7', 'review:gitlab:42:70']],
    ['SHOP/SUB/web!8', 'merge-request', ['review:gitlab:43:8']],
    ['shop/*', 'pattern', ['review:gitlab:42:7', 'review:gitlab:42:70']],
    ['shop/**!8', 'pattern', ['review:gitlab:43:8']],
    ['**!8', 'pattern', ['review:gitlab:43:8']],
    ['*', 'pattern', ['review:gitlab:42:7', 'review:gitlab:42:70', 'review:gitlab:43:8']],
    ['shop/[!b]pi', 'pattern', ['review:gitlab:42:7', 'review:gitlab:42:70']],
    ['other/*', 'pattern', []],
    ['gitlab:43', 'pattern', ['review:gitlab:43:8']],
    ['gitlab:4', 'pattern', []],
  ])('takes %s', (text, kind, ids) => {
    expect(parseTaskName(text).kind).toBe(kind);
    expect(matched(text)).toEqual(ids);
  });

  it('asks the server for as much as the name says', () => {
    expect(parseTaskName('review:gitlab:42:*')).toMatchObject({ forge: 'gitlab', project: 'gitlab:42' });
    expect(parseTaskName('gitlab:42')).toMatchObject({ forge: 'gitlab', project: 'gitlab:42' });
    expect(parseTaskName('review:gitlab:4*:7')).toMatchObject({ forge: 'gitlab', project: null });
    expect(parseTaskName('shop/*!7')).toMatchObject({ forge: null, project: 'shop/*' });
  });

  it.each(['', '!7', 'review:gitlab:42', 'gitlab:0', 'review:gitlab:0:7', 'a:b:c:d:e*', 'x'.repeat(301)])(
    'refuses %j',
    (text) => {
      expect(() => parseTaskName(text)).toThrow(/names no task|at most/);
    },
  );

  it('either takes a text or refuses it in words', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => {
        try {
          for (const task of tasks) parseTaskName(text).matches(task);
        } catch (error) {
          expect(error).toMatchObject({ name: 'UsageError' });
        }
      }),
    );
  });
});
