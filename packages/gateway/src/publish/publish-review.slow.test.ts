import { describe, expect, it } from '@jest/globals';
import { StaleError } from '@drydock/core';
import { PublishBench, type Claim } from './publish.contract.ts';

const base = `${Array.from({ length: 40 }, (_, index) => `const line${index + 1} = ${index + 1};`).join('\n')}\n`;
const before = {
  'src/a.ts': base,
  'src/old-name.ts': base.replaceAll('line', 'row'),
  'src/gone.ts': 'one\ntwo\nthree\n',
  'win.txt': 'first\r\nsecond\r\nthird\r\n',
  'image.bin': Buffer.from([0, 1, 2]),
  'same.ts': 'untouched\n',
};
const after = {
  'src/a.ts': base
    .replace('const line10 = 10;\n', 'const line10 = eval(input);\nconst extra = 1;\nconst more = 2;\n')
    .replace('const line20 = 20;\n', ''),
  'src/old-name.ts': null,
  'src/new-name.ts': base.replaceAll('line', 'row').replace('const row5 = 5;', 'const row5 = five();'),
  'src/gone.ts': null,
  'src/added & new.ts': 'alpha\nbeta\ngamma\n',
  'win.txt': 'first\r\nSECOND\r\nthird\r\n',
  'image.bin': Buffer.from([0, 1, 3]),
};
const setup = { before, after };

const claims: readonly Claim[] = [
  { path: 'src/a.ts', at: 'const line10 = eval(input);', severity: 'high', category: 'security', title: 'Runs input' },
  { path: 'src/a.ts', at: 'const extra = 1;\nconst more = 2;', title: 'Two lines', suggestion: 'const both = 3;' },
  { path: 'src/a.ts', at: 'const line20 = 20;', side: 'old', title: 'Removed' },
  { path: 'src/a.ts', at: 'const line30 = 30;', title: 'Outside every hunk' },
  { path: 'src/new-name.ts', at: 'const row5 = five();', title: 'Renamed and changed' },
  { path: 'src/gone.ts', at: 'two', side: 'old', title: 'In a deleted file' },
  { path: 'src/added & new.ts', at: 'alpha\nbeta', title: 'In a new file', suggestion: 'ALPHA\nBETA' },
  { path: 'win.txt', at: 'SECOND\r', title: 'CRLF', suggestion: 'Second' },
  { path: 'image.bin', at: '', title: 'A binary file' },
  { path: 'same.ts', at: 'untouched', title: 'A file that is not in the diff', suggestion: 'touched' },
];

describe('publishReview', () => {
  it('gives every claim its place: line, file or summary', async () => {
    await using bench = await PublishBench.start(setup);

    const publication = await bench.publish(claims);

    const placed = publication.comments.map(({ placement, path, startLine, endLine }) => [
      placement,
      path,
      startLine,
      endLine,
    ]);
    expect(placed).toEqual([
      ['file', 'image.bin', 1, 1],
      ['inline', 'src/a.ts', 10, 10],
      ['inline', 'src/a.ts', 11, 12],
      ['inline', 'src/a.ts', 20, 20],
      ['inline', 'src/a.ts', 31, 31],
      ['inline', 'src/added & new.ts', 1, 2],
      ['inline', 'src/gone.ts', 2, 2],
      ['inline', 'src/new-name.ts', 5, 5],
      ['inline', 'win.txt', 2, 2],
      ['summary', 'same.ts', 1, 1],
    ]);
    expect(bench.threads).toHaveLength(9);
    expect(publication).toMatchObject({ state: 'done', verdict: 'comment', heldBack: {}, resolved: 0 });
    expect(bench.gitlab.effects).toEqual([]);
  });

  it('puts each comment on the text that it quotes', async () => {
    await using bench = await PublishBench.start(setup);

    await bench.publish(claims);

    for (const thread of bench.threads) {
      const [note] = thread.notes;
      if (note?.originalPosition?.position_type !== 'text') continue;
      const check = await bench.gitlab.checkPosition(1, note.originalPosition);
      const claim = claims.find(({ title }) => note.body.includes(title ?? ''));
      expect(check.kind === 'accepted' && check.rangeTexts.join('\n')).toBe(claim?.at);
    }
  });

  it('shows the findings without a thread whole in the summary', async () => {
    await using bench = await PublishBench.start(setup);

    await bench.publish(claims);

    expect(bench.summaries).toHaveLength(1);
    expect(bench.summaries[0]).toContain('A file that is not in the diff (`same.ts:1`)');
    expect(bench.summaries[0]).toContain('> touched');
  });

  it('repeats nothing when the same review is published again', async () => {
    await using bench = await PublishBench.start(setup);

    const first = await bench.publish(claims);
    const writes = bench.gitlab.requests.filter(({ method }) => method !== 'GET').length;
    const second = await bench.publish(claims);

    expect(second).toEqual(first);
    expect(bench.gitlab.requests.filter(({ method }) => method !== 'GET')).toHaveLength(writes);
  });

  it('falls back to the file, then to the summary, when the forge refuses a place', async () => {
    await using bench = await PublishBench.start(setup);
    bench.gitlab.faults.add({
      match: { method: 'POST', path: /discussions$/ },
      mode: 'fail-before',
      status: 400,
      times: 3,
    });

    const publication = await bench.publish(claims.slice(0, 2));

    expect(publication.comments.map(({ placement }) => placement)).toEqual(['file', 'summary']);
    expect(bench.summaries[0]).toContain('**High** (security): Runs input');
  });

  it('holds back what policy and repository do not bear out, and counts it', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { maxComments: 2, minSeverity: 'medium' } });

    const publication = await bench.publish([
      ...claims.slice(0, 3),
      { path: 'src/a.ts', at: 'const line9 = 9;', severity: 'low' },
      { path: 'src/a.ts', at: 'this was never written' },
    ]);

    expect(bench.threads).toHaveLength(2);
    expect(publication.heldBack).toEqual({ 'over-cap': 1, 'below-severity': 1, 'not-confirmed': 1 });
    expect(bench.summaries[0]).toContain(
      '**Held back**: 1 not confirmed by the code, 1 under the severity threshold, 1 over the limit of comments.',
    );
  });

  it('blocks where the policy says so, also by commit status, once', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { blockAt: 'high', commitStatus: true } });

    const publication = await bench.publish(claims);
    await bench.publish(claims);

    expect(publication.verdict).toBe('block');
    expect(bench.gitlab.statuses(publication.headSha)).toMatchObject([
      { name: 'drydock/review', status: 'failed', description: '10 findings' },
    ]);
  });

  it('leaves a review standing whose commit status the forge refuses', async () => {
    await using bench = await PublishBench.start({ ...setup, policy: { commitStatus: true } });
    bench.gitlab.faults.add({ match: { method: 'POST', path: /statuses/ }, mode: 'fail-before', status: 403 });

    const publication = await bench.publish(claims.slice(0, 1));

    expect(publication.comments).toHaveLength(1);
  });

  it('says that a review is partial, and what was not read', async () => {
    await using bench = await PublishBench.start(setup);

    const publication = await bench.publish([], {
      result: {
        partial: 'the budget for tokens was spent',
        notRead: [{ path: 'big.json', why: 'too large' }],
        changedFiles: 7,
      },
    });

    expect(publication).toMatchObject({ state: 'partial', verdict: 'clean', comments: [] });
    expect(bench.summaries[0]).toContain('**The review is partial**: the budget for tokens was spent');
    expect(bench.summaries[0]).toContain('**Not read** (1 of 7 changed files):\n\n- `big.json`: too large');
  });

  it.each([
    ['a newer head', (bench: PublishBench) => bench.push({ 'src/a.ts': 'x\n' })],
    ['a closed merge request', (bench: PublishBench) => bench.gitlab.updateMergeRequest(1, { state: 'closed' })],
  ])('writes nothing on %s', async (_, change) => {
    await using bench = await PublishBench.start(setup);
    const review = await bench.review(claims);
    await change(bench);

    await expect(bench.publishUntilDone(review)).rejects.toBeInstanceOf(StaleError);

    expect(bench.threads).toHaveLength(0);
    expect(bench.summaries).toHaveLength(0);
  });

  it('stops between two comments once another launch has taken over', async () => {
    await using bench = await PublishBench.start(setup);
    let checks = 0;
    const assertCurrent = () => {
      checks += 1;
      if (checks > 3) throw new StaleError('run.launch_superseded', 'a newer launch');
      return Promise.resolve();
    };

    await expect(bench.publish(claims, { assertCurrent })).rejects.toMatchObject({ code: 'run.launch_superseded' });

    expect(bench.threads).toHaveLength(2);
    expect(bench.summaries).toHaveLength(0);
  });

  it('never shows a secret, also where only the quoted code gives it away', async () => {
    const password = 'xK9#mQ2vL8pR4tZ';
    const line = `const password = "${password}";`;
    await using bench = await PublishBench.start({ before: { 'a.ts': 'x\n' }, after: { 'a.ts': `x\n${line}\n` } });

    const publication = await bench.publish(
      [
        {
          path: 'a.ts',
          at: line,
          title: `Leaks ${password}`,
          reason: `The value ${password} is real.`,
          suggestion: `const password = "${password}!";`,
        },
      ],
      { result: { summary: `It adds ${password}.` } },
    );

    const texts = [...bench.gitlab.notes(1).map(({ body }) => body), JSON.stringify(publication)];
    for (const text of texts) {
      expect(text).not.toContain(password);
      for (const [, payload = ''] of text.matchAll(/:([A-Za-z0-9+/=]{40,}):/g))
        expect(Buffer.from(payload, 'base64').toString()).not.toContain(password);
    }
  });
});
