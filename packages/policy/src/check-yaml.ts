import { z } from 'zod';
import { readYaml, type YamlDocument, type YamlPath, type YamlProblem } from './yaml-document.ts';

/** Reads YAML by a schema: the value, or every problem with its line and column. */
export function checkYaml<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
):
  | { readonly kind: 'valid'; readonly value: z.output<Schema> }
  | { readonly kind: 'invalid'; readonly problems: readonly YamlProblem[] } {
  const read = readYaml(text);
  if (read.kind === 'broken') return { kind: 'invalid', problems: inOrder(read.problems) };
  const parsed = schema.safeParse(read.document.value, { reportInput: false });
  if (parsed.success) return { kind: 'valid', value: parsed.data };
  return {
    kind: 'invalid',
    problems: inOrder(parsed.error.issues.flatMap((issue) => problemsOf(issue, schema, read.document))),
  };
}

function inOrder(problems: readonly YamlProblem[]): readonly YamlProblem[] {
  return [...problems].sort((left, right) => left.line - right.line || left.column - right.column);
}

function problemsOf(issue: z.core.$ZodIssue, schema: z.ZodType, document: YamlDocument): YamlProblem[] {
  const unknownKey = (path: YamlPath, key: string): YamlProblem => {
    const nearest = nearestKey(key, knownKeys(schema, path));
    return {
      ...document.positionOfKey([...path, key]),
      path: pathText([...path, key]),
      message: 'unknown key',
      ...(nearest === null ? {} : { didYouMean: nearest }),
    };
  };
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.path, key));
  const last = issue.path.at(-1);
  if (issue.code === 'invalid_key' && typeof last === 'string') return [unknownKey(issue.path.slice(0, -1), last)];
  return [{ ...document.positionOf(issue.path), path: pathText(issue.path), message: issue.message }];
}

function pathText(path: YamlPath): string {
  return path.map((step) => String(step).slice(0, 100)).join('.');
}

/** The keys that a schema takes at a path; empty where it takes any. */
function knownKeys(schema: z.core.$ZodType, path: YamlPath): readonly string[] {
  const inner = unwrapped(schema);
  const [first, ...rest] = path;
  if (inner instanceof z.ZodObject) {
    const shape: Readonly<Record<string, z.core.$ZodType>> = inner.shape;
    if (first === undefined) return Object.keys(shape);
    const field = shape[String(first)];
    return field === undefined ? [] : knownKeys(field, rest);
  }
  if (inner instanceof z.ZodRecord && first === undefined && inner.keyType instanceof z.ZodEnum) {
    return inner.keyType.options.map(String);
  }
  if (inner instanceof z.ZodArray && first !== undefined) return knownKeys(inner.element, rest);
  return [];
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  const isWrapper =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable;
  return isWrapper ? unwrapped(schema.def.innerType) : schema;
}

/** The known key with the fewest edits, if there are few enough to be a slip. */
function nearestKey(key: string, known: readonly string[]): string | null {
  if (key.length > 64) return null;
  const ranked = known
    .map((name) => ({ name, edits: editDistance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((left, right) => left.edits - right.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : null;
}

/** Levenshtein's distance. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (const [row, letter] of Array.from(left).entries()) {
    const current = [row + 1];
    for (const [column, other] of Array.from(right).entries()) {
      const swap = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(swap, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}
