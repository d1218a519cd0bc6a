import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, parseDocument, type Pair } from 'yaml';

/** Where the chart lies, from the root of the checkout. */
export const chartFolder = 'deploy/helm/drydock';

/** One value of the chart, as its line and the comment above it say. */
export interface ChartValue {
  readonly path: readonly string[];
  readonly description: string;
  readonly fallback: unknown;
  /** What its comment says in JSON Schema, beside the type that its default shows. */
  readonly schema: Readonly<Record<string, unknown>>;
}

/** All values in the order of `values.yaml`: the leaves, and the maps that a comment describes as one. */
export function readChartValues(root: string): readonly ChartValue[] {
  const document = parseDocument(readFileSync(join(root, chartFolder, 'values.yaml'), 'utf8'));
  if (!isMap(document.contents)) throw new Error('values.yaml holds no map');
  return document.contents.items.flatMap((pair) => valuesBelow(pair, []));
}

function valuesBelow(pair: Pair, parents: readonly string[]): readonly ChartValue[] {
  if (!isScalar(pair.key)) throw new Error('a key of values.yaml is no word');
  const path = [...parents, String(pair.key.value)];
  const { description, schema } = readComment(pair.key.commentBefore ?? '', path);
  const { value } = pair;
  const isSection = isMap(value) && value.items.length > 0 && schema === null;
  if (isSection) return value.items.flatMap((below, index) => valuesBelow(withComment(below, value, index), path));
  if (description === '') throw new Error(`the value ${path.join('.')} has no comment`);
  const fallback: unknown = value === null ? null : toPlain(value);
  return [{ path, description, fallback, schema: schema ?? {} }];
}

/** The library gives the comment above a map's first key to the map. */
function withComment(below: Pair, map: { commentBefore?: string | null }, index: number): Pair {
  if (index === 0 && isScalar(below.key)) below.key.commentBefore ??= map.commentBefore ?? null;
  return below;
}

function readComment(text: string, path: readonly string[]) {
  const last = text.slice(text.lastIndexOf('\n\n') + 1);
  const lines = last.split('\n').map((line) => line.trim());
  const marked = lines.find((line) => line.startsWith('@schema '));
  const description = lines.filter((line) => line !== '' && !line.startsWith('@schema ')).join(' ');
  if (marked === undefined) return { description, schema: null };
  try {
    return { description, schema: JSON.parse(marked.slice('@schema '.length)) as Record<string, unknown> };
  } catch (cause) {
    throw new Error(`the @schema of ${path.join('.')} is no JSON`, { cause });
  }
}

function toPlain(value: unknown): unknown {
  return isNode(value) ? value.toJSON() : value;
}

function isNode(value: unknown): value is { toJSON(): unknown } {
  return typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function';
}
