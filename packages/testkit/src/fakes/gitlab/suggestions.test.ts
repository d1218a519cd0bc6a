import { describe, expect, it } from '@jest/globals';
import { startFakeGitLab } from './start-fake-gitlab.ts';
import { parseSuggestions } from './suggestions.ts';

describe('parseSuggestions', () => {
  it('reads ranges and lines', () => {
    const body =
      'Text\n```suggestion:-1+2\na\n\nb\n```\n~~~suggestion\nc\n~~~\n```suggestion:-0+0\n```\n```ts\nno\n```';

    expect(parseSuggestions(body)).toEqual([
      { linesAbove: 1, linesBelow: 2, lines: ['a', '', 'b'] },
      { linesAbove: 0, linesBelow: 0, lines: ['c'] },
      { linesAbove: 0, linesBelow: 0, lines: [] },
    ]);
  });
});

describe('applySuggestion', () => {
  async function apply(content: string, line: number, body: string): Promise<string> {
    await using gitlab = await startFakeGitLab();
    const dana = gitlab.createUser({ username: 'dana' });
    const project = await gitlab.createProject({ path: 'acme/shop', files: { b: 'b\n' } });
    await gitlab.push(project, 'feature', { 'a.txt': content });
    await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'A', author: dana });
    const paths = { old_path: 'a.txt', new_path: 'a.txt' };
    const position = { ...gitlab.diffRefs(1), position_type: 'text', ...paths, new_line: line };
    const note = await gitlab.comment(dana, 1, body, { position });

    const applied = await gitlab.applySuggestion(note?.id ?? 0);

    return applied.content;
  }

  it.each([
    ['1\n2\n3\n', 2, 'two', '1\ntwo\n3\n'],
    ['1\r\n2\r\n3\r\n', 2, 'two', '1\r\ntwo\r\n3\r\n'],
    ['1\n2', 2, 'two', '1\ntwo'],
  ])('keeps the ending of the line in %j', async (before, line, text, after) => {
    expect(await apply(before, line, `\`\`\`suggestion:-0+0\n${text}\n\`\`\``)).toBe(after);
  });

  it('replaces lines above and below', async () => {
    expect(await apply('1\n2\n3\n4\n', 2, '```suggestion:-1+1\nx\n```')).toBe('x\n4\n');
  });

  it('removes lines', async () => {
    expect(await apply('1\n2\n3\n', 2, '```suggestion:-0+0\n```')).toBe('1\n3\n');
  });

  it.each([
    ['is beyond the end', '```suggestion:-0+5\nx\n```'],
    ['spans over 100 lines', '```suggestion:-101+0\nx\n```'],
    ['changes nothing', '```suggestion:-0+0\n2\n```'],
  ])('has no button for what %s', async (_, body) => {
    await expect(apply('1\n2\n3\n', 2, body)).rejects.toThrow(/suggestion/);
  });
});
