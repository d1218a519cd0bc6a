import { describe, expect, it } from '@jest/globals';
import { ReviewPolicy, parseRawDiff, parseUnifiedDiff, type FileDiff, type Finding } from '@drydock/core';
import { checkFindings, filesToRead, type CheckGround } from './check-findings.ts';

const oid = (digit: string) => digit.repeat(40);

/** One changed file: lines 9 to 16 of the head stand in its only hunk, of which 12 and 13 are added for one removed. */
function aDiff(paths: { readonly old: string; readonly new: string } = { old: 'a.ts', new: 'a.ts' }): FileDiff[] {
  const isRename = paths.old !== paths.new;
  const names = isRename ? `R090\0${paths.old}\0${paths.new}\0` : `M\0${paths.new}\0`;
  const raw = Buffer.from(`:100644 100644 ${oid('1')} ${oid('2')} ${names}`);
  const rows = [' l9', ' l10', ' l11', '-gone', '+new1', '+new2', ' l14', ' l15', ' l16'];
  const patch = `diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -9,7 +9,8 @@\n${rows.join('\n')}\n`;
  return parseUnifiedDiff(Buffer.from(patch), parseRawDiff(raw));
}

const oldLines = Array.from({ length: 40 }, (_, index) =>
  index === 11 ? 'gone' : `l${index + 1 + Number(index > 11)}`,
);
const newLines = [...oldLines.slice(0, 11), 'new1', 'new2', ...oldLines.slice(12)];

function aGround(
  ground: Partial<Omit<CheckGround, 'policy'>> & { readonly policy?: Partial<ReviewPolicy> } = {},
): CheckGround {
  return {
    diff: aDiff(),
    linesOf: (side) => (side === 'new' ? newLines : oldLines),
    isDeclined: () => false,
    ...ground,
    policy: ReviewPolicy.parse(ground.policy ?? {}),
  };
}

function aClaim(claim: Partial<Finding> = {}): Finding {
  return {
    path: 'a.ts',
    side: 'new',
    startLine: 12,
    endLine: 12,
    severity: 'medium',
    category: 'correctness',
    confidence: 0.9,
    title: 'Title',
    reason: 'Reason',
    quotedCode: 'new1',
    suggestion: null,
    source: { kind: 'model' },
    ...claim,
  };
}

describe('checkFindings', () => {
  it('lets a claim stand whose quoted code stands there', () => {
    const { standing, heldBack } = checkFindings([aClaim()], aGround());

    expect(heldBack).toEqual({});
    expect(standing).toMatchObject([
      { finding: { startLine: 12, endLine: 12 }, placement: { kind: 'inline', end: { newLine: 12, oldLine: null } } },
    ]);
  });

  it('ignores how lines end', () => {
    const linesOf = () => newLines.map((line) => `${line}\r`);
    const claim = aClaim({ startLine: 12, endLine: 13, quotedCode: 'new1\r\nnew2\n' });

    expect(checkFindings([claim, aClaim()], aGround({ linesOf })).standing).toHaveLength(2);
  });

  it('moves a claim to the one place near the diff where its code stands', () => {
    const claims = [aClaim({ startLine: 3, endLine: 3 }), aClaim({ startLine: 1, endLine: 9, quotedCode: 'new2' })];

    const { standing } = checkFindings(claims, aGround());

    expect(standing.map(({ finding }) => [finding.startLine, finding.endLine])).toEqual([
      [12, 12],
      [13, 13],
    ]);
  });

  it.each([
    ['is nowhere', { quotedCode: 'invented()' }],
    ['is far from the diff', { startLine: 12, quotedCode: 'l30', endLine: 12 }],
    ['is only blank', { quotedCode: ' \n ' }],
    ['is empty', { quotedCode: '' }],
    ['is on the other side', { side: 'old' as const }],
    ['ends before it starts', { startLine: 12, endLine: 11, quotedCode: 'l2' }],
  ])('holds back a claim whose code %s', (_, claim) => {
    expect(checkFindings([aClaim(claim)], aGround())).toMatchObject({ standing: [], heldBack: { 'not-confirmed': 1 } });
  });

  it('holds back a claim whose code stands twice near the diff, but not where it says', () => {
    const twice = newLines.map((line, index) => (index === 13 ? 'new1' : line));

    const { heldBack } = checkFindings([aClaim({ startLine: 2, endLine: 2 })], aGround({ linesOf: () => twice }));

    expect(heldBack).toEqual({ 'not-confirmed': 1 });
  });

  it('takes a claim about an unchanged file into the summary, and none about a file that is not there', () => {
    const linesOf: CheckGround['linesOf'] = (_, path) => (path === 'b.ts' ? ['other'] : null);
    const claims = [aClaim({ path: 'b.ts', quotedCode: 'other', startLine: 1, endLine: 1 }), aClaim({ path: 'c.ts' })];

    const { standing, heldBack } = checkFindings(claims, aGround({ linesOf }));

    expect(standing).toMatchObject([{ path: 'b.ts', placement: { kind: 'summary', why: 'file-not-in-diff' } }]);
    expect(heldBack).toEqual({ 'not-confirmed': 1 });
  });

  it('lets what has no lines be spoken of as a file of the diff', () => {
    const claims = [aClaim({ quotedCode: '' }), aClaim({ path: 'elsewhere.bin', quotedCode: '' })];

    const { standing, heldBack } = checkFindings(claims, aGround({ linesOf: () => null }));

    expect(standing).toMatchObject([{ path: 'a.ts', codeLines: 0 }]);
    expect(heldBack).toEqual({ 'not-confirmed': 1 });
  });

  it('lowers a severity to the cap of its category', () => {
    const claim = aClaim({ category: 'documentation', severity: 'critical' });

    expect(checkFindings([claim], aGround()).standing[0]?.finding.severity).toBe('low');
  });

  it('holds back by threshold, cap and people, and counts each claim once', () => {
    const at = (line: number, claim: Partial<Finding> = {}) =>
      aClaim({ startLine: line, endLine: line, quotedCode: newLines[line - 1] ?? '', ...claim });
    const claims = [
      at(12, { severity: 'high' }),
      at(12, { title: 'the same in other words' }),
      at(9, { severity: 'low' }),
      at(10, { confidence: 0.3 }),
      at(11, { title: 'declined' }),
      at(14, { confidence: 0.8 }),
      at(15, { confidence: 0.7 }),
      at(16, { quotedCode: 'nothing' }),
    ];

    const checked = checkFindings(claims, {
      ...aGround({ policy: { minSeverity: 'medium', minConfidence: 0.5, maxComments: 2 } }),
      isDeclined: ({ finding }) => finding.title === 'declined',
    });

    expect(checked.standing.map(({ finding }) => finding.startLine)).toEqual([12, 14]);
    expect(checked.heldBack).toEqual({
      'not-confirmed': 1,
      duplicate: 1,
      declined: 1,
      'below-severity': 1,
      'below-confidence': 1,
      'over-cap': 1,
    });
    expect(checked.severities).toEqual(['high', 'medium', 'medium']);
  });

  it('gives a finding the same identity before and after its file is renamed', () => {
    const [before] = checkFindings([aClaim({ path: 'a.ts' })], aGround()).standing;
    const renamed = aGround({ diff: aDiff({ old: 'a.ts', new: 'b.ts' }) });
    const [after] = checkFindings([aClaim({ path: 'b.ts' })], renamed).standing;

    expect(after?.path).toBe('b.ts');
    expect(after?.identity).toBe(before?.identity);
  });

  it('does not block for long on very many claims about a large file', () => {
    const large = Array.from({ length: 50_000 }, (_, index) => `statement${index}();`);
    const claims = Array.from({ length: 5000 }, (_, index) =>
      aClaim({ startLine: index * 9 + 1, endLine: index * 9 + 1, quotedCode: `statement${index * 9}();` }),
    );
    const before = process.cpuUsage();

    const { standing } = checkFindings(claims, aGround({ linesOf: () => large, policy: { maxComments: 200 } }));

    expect(standing).toHaveLength(200);
    // Of the processor, which a busy machine does not lengthen: 0.1 s, and 9 s if each claim went through the file.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(4500);
  });
});

describe('filesToRead', () => {
  it('names each file once, by its name on the side of the claim', () => {
    const diff = aDiff({ old: 'a.ts', new: 'b.ts' });
    const claims = [
      aClaim({ path: 'b.ts' }),
      aClaim({ path: 'b.ts', startLine: 14 }),
      aClaim({ path: 'b.ts', side: 'old' }),
      aClaim({ path: 'z.ts' }),
    ];

    expect(filesToRead(claims, diff)).toEqual([
      { side: 'new', path: 'b.ts' },
      { side: 'old', path: 'a.ts' },
      { side: 'new', path: 'z.ts' },
    ]);
  });
});
