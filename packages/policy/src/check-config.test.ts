import { describe, expect, it } from '@jest/globals';
import { ReviewPolicy } from '@drydock/core';
import { goldenText } from '@drydock/testkit';
import fc from 'fast-check';
import { checkConfig, renderPolicy } from './check-config.ts';
import type { ConfigKind } from './misplaced-key.ts';
import { describeProblem, parsePolicy } from './parse-policy.ts';
import { parseRepositoryConfig } from './parse-repository-config.ts';

const r = 'repository';
const p = 'policy';

/** Mistakes that people make, by what they are. */
const mistakes: readonly (readonly [what: string, kind: ConfigKind, text: string])[] = [
  ['a slip in a key', r, 'minSeverty: high\n'],
  ['two letters swapped', r, 'minSeverity: hgih\n'],
  ['a key in snake case', r, 'min_severity: high\n'],
  ['a key that is nowhere', r, 'color: blue\n'],
  ['a key as another tool calls it', r, 'exclude: [docs/**]\n'],
  ['a word for a number', r, 'minConfidence: high\n'],
  ['a percentage', r, 'minConfidence: 60%\n'],
  ['a share over 1', r, 'minConfidence: 60\n'],
  ['a decimal comma', r, 'minConfidence: 0,5\n'],
  ['a currency', r, 'maxUsdPerRun: $2\n'],
  ['a negative number', r, 'maxComments: -1\n'],
  ['a fraction', r, 'maxComments: 2.5\n'],
  ['a number over its range', p, 'maxComments: 500\n'],
  ['a number in quotes', p, 'budget:\n  maxTurns: "40"\n'],
  ['a duration', p, 'budget:\n  deadlineSeconds: 15m\n'],
  ['a multiple', p, 'budget:\n  tokensPerRun: 3M\n'],
  ['a number with separators', p, 'budget:\n  tokensPerRun: 3,000,000\n'],
  ['zero where something must be', p, 'budget:\n  usdPerRun: 0\n'],
  ['yes for true', r, 'enabled: yes\n'],
  ["another tool's severity", r, 'minSeverity: warning\n'],
  ['a severity in capitals', r, 'minSeverity: HIGH\n'],
  ['never for null', p, 'blockAt: never\n'],
  ['a role of another forge', p, 'commandRole: admin\n'],
  ['a slip in a category', p, 'severityCaps:\n  securty: low\n'],
  ['a switch where a word is expected', p, 'drafts: true\n'],
  ['a wish that would widen', r, 'drafts: review\nsuggestions: true\n'],
  ['a version to come', r, 'v: 2\n'],
  ["the operator's keys", r, 'budget:\n  usdPerDay: 5\n  maxTurns: 3\nblockAt: high\nmodel: claude-opus-5-5\n'],
  ["a repository's keys", p, 'maxUsdPerRun: 1\nfailOn: high\n'],
  ['keys out of their group', p, 'usdPerRun: 3\nbudget:\n  minSeverity: low\n'],
  ['a text for a list', r, 'ignorePaths: docs/**\n'],
  ['texts for a list', r, 'skipLabels: wip, later\n'],
  ['a number in a list of texts', r, 'skipLabels: [wip, 7]\n'],
  ['an empty value', r, 'minSeverity:\nignorePaths:\n'],
  ['a value for a group', p, 'budget: 5\n'],
  ['a list for a group', p, 'severityCaps: [tests]\n'],
  ['a group for a value', r, 'minSeverity:\n  tests: high\n'],
  ['a list too long', r, `skipLabels: [${Array.from({ length: 51 }, (_, index) => `l${String(index)}`).join(', ')}]\n`],
  ['a key twice, and more', r, 'maxComments: 1\nminSeverity: hihg\nmaxComments: 2\n'],
  ['a glob that begins with *', r, 'ignorePaths:\n  - **/*.ts\n  - 3\n'],
  ['a glob that begins with !', r, 'ignorePaths:\n  - !vendor/**\n'],
  ['a name that begins with @', p, 'botAuthors: [@renovate]\n'],
  ['a label that begins with #', r, 'skipLabels: [#wip]\n'],
  ['an anchor', r, 'skipLabels: &labels [wip]\n'],
  ['a merge key', r, '<<: {enabled: false}\n'],
  ['a list that is not closed', r, 'skipLabels: [wip\nenabled: true\n'],
  ['a quote that is not closed', r, 'minSeverity: "high\n'],
  ['a tab', r, 'ignorePaths:\n\t- a\n'],
  ['a wrong indent', p, 'budget:\n  usdPerRun: 1\n usdPerDay: 2\n'],
  ['an equals sign', r, 'enabled = true\n'],
  ['no space after the colon', r, 'enabled:true\nminSeverity: high\n'],
  ['two colons', r, 'minSeverity: high: really\n'],
  ['a list at the top', r, '- enabled\n'],
  ['two documents', r, 'enabled: true\n---\nenabled: false\n'],
];

/** What is valid, and does not do what it seems to. */
const ineffective: readonly (readonly [what: string, kind: ConfigKind, text: string])[] = [
  ['wishes that would widen', r, 'minConfidence: 0.1\nmaxComments: 50\nmaxUsdPerRun: 9\n'],
  ['a switch that makes the rest idle', r, 'enabled: false\nmaxComments: 5\n'],
  ['a pipeline that fails on what is not shown', r, 'minSeverity: high\nfailOn: medium\n'],
  ['no room for a comment', r, 'maxComments: 0\n'],
  ['a label that is nearly ours', r, 'skipLabels: ["drydok:skip", wip, wip, "a, b", " x", ""]\n'],
  ['globs from the root', r, 'ignorePaths: [/docs/**, docs/, ./docs/a.md, ../x, "C:/x", docs//a.md]\n'],
  [
    'globs of other manners',
    r,
    `ignorePaths: ["!docs/a.md", 'docs\\a.md', '^src/.*\\.ts$', "src/**.ts", "{a}/b.ts", "[ab/c.ts", ""]\n`,
  ],
  ['globs of one folder', r, 'ignorePaths: ["*.md", "*", docs, Makefile, LICENSE, .gitignore, setup.py]\n'],
  [
    'a severity that nothing reaches',
    p,
    `minSeverity: critical\nblockAt: critical\nseverityCaps: {correctness: high, security: high, performance: high, tests: low, maintainability: low, documentation: low}\n`,
  ],
  ['a bar below the threshold', p, 'minSeverity: high\nblockAt: low\n'],
  [
    'a run for more than a day',
    p,
    'budget:\n  usdPerRun: 100\n  tokensPerDay: 10\n  maxOutputTokensPerTurn: 4000000\n',
  ],
  ['lists against each other', p, 'skipLabels: [x]\ntriggerLabels: [x]\nignorePaths: [src/**]\nonlyPaths: [src/**]\n'],
];

function told(kind: ConfigKind, text: string): readonly string[] {
  const checked = checkConfig(text, kind);
  if (checked.kind === 'invalid') return checked.problems.map((problem) => describeProblem(problem));
  return checked.warnings.map((warning) => `warning: ${describeProblem(warning)}`);
}

function story(cases: typeof mistakes): string {
  return cases
    .map(([what, kind, text]) => [
      `# ${what} (${kind})`,
      text.trimEnd(),
      ...told(kind, text).map((line) => `> ${line}`),
    ])
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

describe('checkConfig', () => {
  it('says of each mistake what is wrong and what was meant', () => {
    expect(story(mistakes)).toBe(goldenText(import.meta.url, 'mistakes.txt', story(mistakes)));
    expect(mistakes.map(([, kind, text]) => checkConfig(text, kind).kind)).not.toContain('valid');
  });

  it('warns of what has no effect', () => {
    expect(story(ineffective)).toBe(goldenText(import.meta.url, 'ineffective.txt', story(ineffective)));
    expect(ineffective.map(([, kind, text]) => checkConfig(text, kind).kind)).not.toContain('invalid');
  });

  it('takes a policy object for one, and says by line and column what the API server would refuse', () => {
    const head =
      'apiVersion: drydock.dev/v1alpha1\nkind: ReviewPolicy\nmetadata: {name: shop, labels: {a: b}}\nspec:\n';

    expect(
      told(p, `${head}  projects: [shop]\n  review:\n    minSeverty: low\n    maxComments: many\n  precedence: high\n`),
    ).toEqual([
      expect.stringMatching(/^5:14 spec\.projects\.0: must be a numeric id, \*, or a path with a slash/),
      '7:5 spec.review.minSeverty: unknown key (did you mean minSeverity?)',
      '8:18 spec.review.maxComments: must be a whole number between 0 and 200, not the text "many"',
      '9:15 spec.precedence: must be a whole number between -1000 and 1000, not the text "high"',
    ]);
    expect(told(p, `${head}  projects: [shop/*]\n  review: {budget: {usdPerRun: 60}}\n`)).toEqual([
      '6:32 spec.review.budget.usdPerRun: budget.usdPerRun must be at most budget.usdPerDay',
    ]);
    expect(told(p, `${head}  projects: [shop/*]\n  pod: {resources: {cpu: 50m}}\n`)).toEqual([
      '6:26 spec.pod.resources.cpu: must be between 100m and 128',
    ]);
    expect(checkConfig(`${head}  projects: [shop/*]\n  review: {maxComments: 0}\n`, p)).toMatchObject({
      warnings: [{ line: 6, path: 'spec.review.maxComments' }],
      differences: ['projects: shop/*', 'maxComments: 0'],
    });
  });

  it('warns of a glob that matches no file of the repository', () => {
    const trackedPaths = ['docs/a.md', 'src/b.ts'];

    const checked = checkConfig('ignorePaths: [docs/**, dosc/**]\n', 'repository', { trackedPaths });

    expect(checked).toMatchObject({
      warnings: [{ path: 'ignorePaths.1', message: 'matches no file of this repository' }],
    });
  });

  it('holds wishes against the policy that is given', () => {
    const policy = ReviewPolicy.parse({ maxComments: 100, enabled: false });

    const checked = checkConfig('enabled: true\nmaxComments: 50\n', 'repository', { policy });

    expect(checked).toMatchObject({ warnings: [{ path: 'enabled' }], effective: { maxComments: 50 } });
  });

  it('tells what differs from the defaults, and all of it as YAML that it takes itself', () => {
    const checked = checkConfig('blockAt: high\nbudget: {usdPerRun: 0.5}\n', 'policy');

    expect(checked).toMatchObject({ warnings: [], differences: ['blockAt: high', 'budget.usdPerRun: 0.5'] });
    expect(checked.kind === 'valid' && parsePolicy(renderPolicy(checked.effective), 'shown')).toEqual(
      checked.kind === 'valid' && checked.effective,
    );
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('takes %s for any other unknown key', (key) => {
    for (const kind of [r, p] as const) {
      expect(
        told(kind, `${key}: {${key}: 1}\nbudget: {${key}: 1}\nskipLabels: [${key}]\nmaxComments: 1${key}\n`),
      ).toContain(`1:1 ${key}: unknown key`);
    }
  });

  it('quotes values, which those who only read a repository never do', () => {
    const text =
      'minSeverity: hunter2\nmaxComments: "12345678"\nskipLabels: hunter2\nenabled: *hunter2\nv: "x" hunter2\n';

    expect(told('repository', 'minSeverity: hunter2\n').join()).toContain('hunter2');
    expect(JSON.stringify(parseRepositoryConfig(text))).not.toMatch(/hunter2|12345678/);
    expect(() => parsePolicy(text, 'policy.yaml')).toThrow(/^((?!hunter2|12345678)[^])*$/);
  });

  it('points into the file, whatever it holds', () => {
    const pieces = [
      'minSeverity',
      'budget',
      ': ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '!x ',
      '"',
      '#',
      '  ',
      '|',
      'é',
      '\r\n',
      '\t',
      '@',
      '1',
      '\u{1F600}',
    ];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...pieces)),
        fc.constantFrom<ConfigKind>('policy', 'repository'),
        (parts, kind) => {
          const text = parts.join('');
          const checked = checkConfig(text, kind);
          const lines = text.split(/\r?\n/);

          for (const { line, column, width } of checked.kind === 'valid' ? checked.warnings : checked.problems) {
            expect(line).toBeGreaterThanOrEqual(1);
            expect(line).toBeLessThanOrEqual(lines.length);
            expect(column).toBeGreaterThanOrEqual(1);
            expect(width).toBeGreaterThanOrEqual(1);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
