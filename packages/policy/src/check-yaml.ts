import { z } from 'zod';
import { describeExpected, expectedAt, expectedBy, keysOf, type ExpectedValue } from './expected-value.ts';
import { meantValue } from './meant-value.ts';
import { misplacedKeys, type ConfigKind } from './misplaced-key.ts';
import { nearestWord } from './nearest-word.ts';
import { isSamePlace, readYaml, type YamlDocument, type YamlPath, type YamlProblem } from './yaml-document.ts';

/** How a file is checked. */
export interface CheckRules<Schema extends z.ZodType> {
  readonly schema: Schema;
  /** `object`: a policy object of Kubernetes. */
  readonly kind: ConfigKind | 'object';
  /** Problems repeat the value that is wrong. Only for the eyes of who wrote the file: it may be a secret. */
  readonly mayQuoteValues: boolean;
}

/** Reads YAML by a schema: the value, or every problem with its line and column. */
export function checkYaml<Schema extends z.ZodType>(
  text: string,
  rules: CheckRules<Schema>,
):
  | { readonly kind: 'valid'; readonly value: z.output<Schema>; readonly document: YamlDocument }
  | { readonly kind: 'invalid'; readonly problems: readonly YamlProblem[] } {
  const read = readYaml(text);
  if (read.kind === 'broken') {
    const further = read.document === null ? [] : (problemsIn(read.document, rules).problems ?? []);
    const others = further.filter((problem) => !read.problems.some((fault) => isSamePlace(fault, problem)));
    return { kind: 'invalid', problems: inOrder([...read.problems, ...others]) };
  }
  const { problems, value } = problemsIn(read.document, rules);
  if (problems === null) return { kind: 'valid', value, document: read.document };
  return { kind: 'invalid', problems: inOrder(problems) };
}

function inOrder(problems: readonly YamlProblem[]): readonly YamlProblem[] {
  return [...problems].sort((left, right) => left.line - right.line || left.column - right.column);
}

function problemsIn<Schema extends z.ZodType>(
  document: YamlDocument,
  rules: CheckRules<Schema>,
):
  | { readonly problems: null; readonly value: z.output<Schema> }
  | { readonly problems: readonly YamlProblem[]; readonly value: null } {
  const parsed = rules.schema.safeParse(document.value);
  if (parsed.success) return { problems: null, value: parsed.data };
  const expected = expectedBy(rules.schema);
  return {
    problems: parsed.error.issues.flatMap((issue) => problemsOf(issue, { document, expected, rules })),
    value: null,
  };
}

interface Reading {
  readonly document: YamlDocument;
  readonly expected: ExpectedValue;
  readonly rules: Pick<CheckRules<z.ZodType>, 'kind' | 'mayQuoteValues'>;
}

function problemsOf(issue: z.core.$ZodIssue, reading: Reading): readonly YamlProblem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.flatMap((key) => unknownKey([...issue.path, key], reading));
  if (issue.code === 'invalid_key') return unknownKey(issue.path, reading);
  return [wrongValue(issue, reading)];
}

function unknownKey(path: YamlPath, { document, expected, rules }: Reading): readonly YamlProblem[] {
  const misplaced = rules.kind === 'object' ? [] : misplacedKeys(rules.kind, path, valueAt(document.value, path));
  if (misplaced.length > 0) {
    return misplaced.map(({ path: place, ...words }) => ({
      ...document.placeOfKey(place),
      path: pathText(place),
      ...words,
    }));
  }
  const nearest = nearestWord(String(path.at(-1)), keysOf(expectedAt(expected, path.slice(0, -1))));
  return [
    {
      ...document.placeOfKey(path),
      path: pathText(path),
      message: 'unknown key',
      ...(nearest === null ? {} : { didYouMean: nearest }),
    },
  ];
}

function wrongValue(issue: z.core.$ZodIssue, { document, expected, rules }: Reading): YamlProblem {
  const { path } = issue;
  const value = valueAt(document.value, path);
  const wanted = expectedAt(expected, path);
  const isRule = issue.code === 'custom'; // it says itself what is wrong, which no type can
  const meant = wanted === null || isRule ? null : meantValue(wanted, value, String(path.at(-1)));
  const isTold = meant !== null && (meant.isKnown || rules.mayQuoteValues);
  return {
    ...document.placeOf(path),
    path: pathText(path),
    message: wanted === null || isRule ? issue.message : sentence(issue, wanted, value, rules),
    ...(isTold ? { didYouMean: meant.text } : {}),
  };
}

function sentence(issue: z.core.$ZodIssue, wanted: ExpectedValue, value: unknown, rules: Reading['rules']): string {
  if (issue.path.length === 0) return `keys with their values are expected, such as "minSeverity: high"`;
  if (value === null) return `is empty; expected: ${describeExpected(wanted)}`;
  if (issue.code === 'too_big' && Array.isArray(value)) {
    return `must have at most ${String(issue.maximum)} entries, not ${String(value.length)}`;
  }
  const found = rules.mayQuoteValues ? quoted(value) : kindOf(value, wanted);
  const not = found === null ? '' : `, not ${found}`;
  if (wanted.const === undefined) return `must be ${describeExpected(wanted)}${not}`;
  const why =
    rules.kind === 'repository' && issue.path[0] !== 'v' ? ': a repository can only make reviews smaller' : '';
  return `can only be ${describeExpected(wanted)} here${not}${why}`;
}

const maxQuotedChars = 60;

function quoted(value: unknown): string {
  if (typeof value === 'string') {
    const text = value.length > maxQuotedChars ? `${value.slice(0, maxQuotedChars)}…` : value;
    return `the text ${JSON.stringify(text)}`;
  }
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'a group of keys';
}

/** What stands there, without saying it; null: as much follows from what is expected. */
function kindOf(value: unknown, { type }: ExpectedValue): string | null {
  if (typeof value === 'string') return type === 'string' ? null : 'a text';
  if (typeof value === 'number') return type === 'number' || type === 'integer' ? null : 'a number';
  return quoted(value);
}

function valueAt(whole: unknown, path: YamlPath): unknown {
  let value = whole;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.entries(value).find(([key]) => key === String(step))?.[1];
  }
  return value;
}

function pathText(path: YamlPath): string {
  return path.map((step) => String(step).slice(0, 100)).join('.');
}
