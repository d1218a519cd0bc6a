/** Rules that a single added line decides. */
import type { Rule } from './rule.ts';
import type { ClaimText } from './rule.ts';
import { certain, claimAt, isComment, isProse, isTestPath } from './rule.ts';

interface LineRule extends ClaimText {
  readonly pattern: RegExp;
  readonly unless?: RegExp;
  /** Of the path. */
  readonly where?: RegExp;
  readonly notWhere?: RegExp;
  readonly looksAt: {
    readonly code: boolean;
    readonly comments: boolean;
    readonly prose: boolean;
    readonly tests: boolean;
  };
  /** The certain one-line fix. */
  readonly fix?: (line: string) => string;
}

const code = { code: true, comments: false, prose: false, tests: false };
const everything = { code: true, comments: true, prose: true, tests: true };

/** Text that speaks to a reviewer instead of describing code. */
export const injectedText =
  /\bignore (?:all |any )?(?:previous|prior|earlier|above) instructions\b|\b(?:AI|automated|LLM|bot|Claude)[- ]?(?:code )?review(?:er|ers|s)?\b.{0,120}\b(?:approve|approved|no (?:issues|findings|problems)|skip|LGTM)\b|\breport no (?:issues|findings|problems)\b/i;

const credential = {
  severity: 'critical',
  category: 'security',
  title: 'A credential is in the source',
  reason:
    'This line holds what looks like a working credential. Everyone who can read the repository has it, and it stays in the history. Revoke it, and read the new one from the environment or a secret store.',
} as const;

/** Where printing is the purpose. */
const ownOutput =
  /(?:^|\/)(?:scripts?|bin|cli|cmd|tools|examples?|bench)\/|(?:^|\/)(?:cli|main|__main__|manage|setup)\.\w+$/;

const debugOutput = {
  severity: 'low',
  category: 'maintainability',
  confidence: 0.6,
  title: 'Output for debugging is left in',
  reason:
    'This looks like a help while the code was written. Left in, it stops or floods whoever runs this, and may print what should not be in a log. Remove it, or use the logger of this code.',
} as const;

const lineRules: readonly LineRule[] = [
  {
    pattern:
      /\bfor\s*\(\s*(?:let|var|int|size_t)?\s*(\w+)\s*=\s*0\s*;\s*\1\s*<=\s*[\w.$]+\.(?:length|size)\b(?:\(\))?\s*;/,
    looksAt: { ...code, tests: true },
    fix: (line) => line.replace(/<=(\s*[\w.$]+\.(?:length|size)\b)/, '<$1'),
    severity: 'high',
    category: 'correctness',
    confidence: 0.95,
    title: 'The loop runs one past the end',
    reason:
      'The index starts at 0 and the bound includes the length itself, so the last round reads an element that does not exist. Reading a property of it throws.',
  },
  {
    pattern:
      /\b[sr]k_live_\w{16,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}|\bsk-ant-[\w-]{20,}|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/,
    unless: /EXAMPLE/,
    looksAt: { ...everything, tests: false },
    ...credential,
    confidence: 0.95,
  },
  {
    pattern:
      /\b\w*(?:password|passwd|secret|api_?key|access_?token|private_?key)\w*['"]?\s*[:=]\s*(['"`])(?!\s)[^'"`\s$<>{}]{12,}\1/i,
    unless:
      /process\.env|getenv|environ|\bexample\b|changeme|placeholder|redacted|x{6,}|(?:name|ref|path|file|url|id|header|kind|type)['"]?\s*[:=]/i,
    looksAt: code,
    ...credential,
    confidence: 0.8,
  },
  {
    pattern:
      /\b[\w.]*(?:secret|signature|hmac|digest|apiKey|api_key|password|(?:access|auth|api|csrf|session|bearer|webhook)_?token)\s*(?:===?|!==?)\s*(?!\s*(?:undefined|null|None|true|false|['"`\d]))[\w.$]+|\b[\w.$]+\s*(?:===?|!==?)\s*[\w.]*(?:secret|signature|hmac|digest|apiKey|api_key|password)\b/i,
    unless: /typeof|\.length|(?:undefined|null|None|''|"")\s*(?:===?|!==?)/,
    looksAt: code,
    severity: 'medium',
    category: 'security',
    confidence: 0.7,
    title: 'A secret is compared byte by byte',
    reason:
      'An ordinary comparison ends at the first difference, so the time it takes tells an attacker how much of a guess was right. Compare in constant time, for example with `timingSafeEqual` over two hashes of equal length.',
  },
  {
    pattern:
      /(?<![.\w])eval\(\s*(?!['"`][^'"`$+]*['"`]\s*\))|\bnew Function\(|(?<![.\w])exec(?:Sync)?\(\s*(?:`[^`]*\$\{|['"][^'"]*['"]\s*\+)|\bos\.system\(\s*(?:f['"]|['"][^'"]*['"]\s*[+%])/,
    looksAt: code,
    severity: 'critical',
    category: 'security',
    confidence: 0.8,
    title: 'Input is run as code',
    reason:
      'What reaches this call is executed. If any part of it can come from a request, a file or a message, whoever sends that runs commands here. Parse the value, or pass the arguments as a list to a call that starts no shell.',
  },
  {
    pattern: /\b(?:describe|it|test|context)\.only\(|\bfdescribe\(|\bfit\(/,
    looksAt: { ...code, tests: true },
    fix: (line) => line.replace(/\.only\(/, '(').replace(/\bf(describe|it)\(/, '$1('),
    severity: 'medium',
    category: 'tests',
    confidence: 0.95,
    title: 'Only this test runs',
    reason: 'With this marker the runner skips every other test, so the suite is green whatever else is broken.',
  },
  {
    pattern: /^<{7}(?: .*)?$/,
    looksAt: everything,
    severity: 'high',
    category: 'correctness',
    confidence: 0.98,
    title: 'A merge conflict is committed',
    reason:
      'This line is a mark that git leaves where it could not merge. Both versions and the marks between them are in the file now, which no compiler and no reader takes. Decide for one, and take the marks out.',
  },
  {
    pattern:
      /(?:^|[;{}(&|]|=>)\s*(?:console\.(?:log|debug|dir|trace|table)\(|debugger\b|dbg!\(|var_dump\(|print_r\(|binding\.(?:pry|irb)\b|byebug\b|breakpoint\(\)|i?pdb\.set_trace\()/,
    looksAt: code,
    notWhere: ownOutput,
    ...debugOutput,
  },
  { pattern: /^\s*print\(/, looksAt: code, where: /\.pyi?$/, notWhere: ownOutput, ...debugOutput, confidence: 0.45 },
  {
    pattern: /(?:\/\/|\/\*|#|--|<!--|;|^\s*\*)\s*@?(?:TODO|FIXME|XXX)\b/,
    unless: /#\d+|\b[A-Z][A-Z\d]+-\d+\b|https?:/,
    looksAt: { ...code, comments: true, tests: true },
    severity: 'low',
    category: 'maintainability',
    confidence: 0.5,
    title: 'Work is left for later, and nobody is told',
    reason:
      'A note like this is seen by who opens the file, and by no one who plans. Do it in this change, or name the issue that keeps it.',
  },
  {
    pattern: injectedText,
    looksAt: everything,
    severity: 'medium',
    category: 'security',
    confidence: 0.8,
    title: 'Text addressed to automated reviewers',
    reason:
      'This line does not describe the code, it tells a reviewer what to say about it. It was read as data and followed in nothing. Whoever maintains this should ask where it comes from, and remove it.',
  },
];

/** Every line rule as a rule. */
export const singleLineRules: readonly Rule[] = lineRules.map((rule) => (file) => {
  const { pattern, unless, where, notWhere, looksAt, fix, ...text } = rule;
  if (where?.test(file.path) === false || notWhere?.test(file.path) === true) return [];
  if (isProse(file.path) && !looksAt.prose) return [];
  if (isTestPath(file.path) && !looksAt.tests) return [];
  const rows = file.hunks.flat().filter((row) => row.sign === '+' && (looksAt.comments || !isComment(row.text)));
  return rows
    .filter((row) => pattern.test(row.text) && unless?.test(row.text) !== true)
    .flatMap((row) => {
      const suggestion = fix === undefined ? {} : { suggestion: fix(row.text) };
      return certain(claimAt(file, 'new', [row], { ...text, ...suggestion }));
    });
});
