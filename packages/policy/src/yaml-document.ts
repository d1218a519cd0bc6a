/**
 * Reads YAML that strangers may have written: one small document of maps, lists and scalars. No tags, anchors, aliases
 * or merge keys, no duplicate keys, bounded size and depth, so that reading costs little whatever stands there.
 */
import {
  Composer,
  CST,
  Document,
  LineCounter,
  Parser,
  Scalar,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  visit,
  type YAMLMap,
} from 'yaml';
import { describeFault, isMendable } from './yaml-faults.ts';

/** Something wrong in a YAML file, and where. */
export interface YamlProblem {
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  /** Columns that the wrong part takes, within its line; at least 1. */
  readonly width: number;
  /** The key it is about, such as `budget.usdPerRun`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** The key or value that was meant, as it is written in YAML. */
  readonly didYouMean?: string;
}

/** A place in a YAML value: keys and list positions from the top. */
export type YamlPath = readonly PropertyKey[];

/** Where a part of a file stands. */
export type YamlPlace = Pick<YamlProblem, 'line' | 'column' | 'width'>;

/** A read document: plain data, and where each part of it stands. */
export interface YamlDocument {
  readonly value: unknown;
  /** Whether anything is written at `path`. */
  has(path: YamlPath): boolean;
  /** Where the value at `path` stands; what is missing stands where its parent does. */
  placeOf(path: YamlPath): YamlPlace;
  /** Where the last key of `path` stands. */
  placeOfKey(path: YamlPath): YamlPlace;
}

const maxBytes = 64 * 1024;
const maxDepth = 16;

/** Reads one YAML document. An empty one is an empty map. Of a broken one `document` is what it most likely says. */
export function readYaml(
  text: string,
):
  | { readonly kind: 'read'; readonly document: YamlDocument }
  | { readonly kind: 'broken'; readonly problems: readonly YamlProblem[]; readonly document: YamlDocument | null } {
  const broken = (problems: readonly YamlProblem[], document: YamlDocument | null = null) =>
    ({ kind: 'broken', problems, document }) as const;
  if (Buffer.byteLength(text) > maxBytes) {
    const message = `the file is larger than ${String(maxBytes)} bytes`;
    return broken([{ line: 1, column: 1, width: 1, path: '', message }]);
  }
  const lines = new LineCounter();
  const source: Source = { text, lines };
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const tooDeep = firstDeeperThan(tokens, maxDepth);
  if (tooDeep !== null) {
    return broken([{ ...at(source, tooDeep), path: '', message: `more than ${String(maxDepth)} levels of nesting` }]);
  }
  const [document = new Document({}), second] = new Composer({
    lineCounter: lines,
    resolveKnownTags: false,
    schema: 'core',
    stringKeys: true,
    version: '1.2',
  }).compose(tokens, true, text.length);
  if (second !== undefined) {
    return broken([{ ...at(source, second.range[0]), path: '', message: 'more than one document in the file' }]);
  }
  const faults = [...document.errors, ...document.warnings];
  const found = [
    ...forbiddenParts(document, source),
    ...faults.map((fault) => ({ ...at(source, fault.pos[0]), path: '', message: describeFault(fault, text) })),
  ];
  if (found.length === 0) return { kind: 'read', document: located(document, source) };
  const problems = found.filter((problem) => found.find((other) => isSamePlace(other, problem)) === problem);
  return broken(problems, faults.every(isMendable) ? located(mended(document, source), source) : null);
}

interface Source {
  readonly text: string;
  readonly lines: LineCounter;
}

function at({ text, lines }: Source, offset: number, end = offset + 1): YamlPlace {
  const { line, col } = lines.linePos(offset);
  const [part = ''] = text.slice(offset, end).split(/\r?\n/, 1);
  return { line: Math.max(1, line), column: Math.max(1, col), width: Math.max(1, part.length) };
}

/** Whether two problems stand at the same place: then they are one. */
export function isSamePlace(left: YamlPlace, right: YamlPlace): boolean {
  return left.line === right.line && left.column === right.column;
}

/** Where nesting passes the limit. The parser keeps its own stack, the composer recurses: so it is looked at before. */
function firstDeeperThan(tokens: readonly CST.Token[], limit: number): number | null {
  const open: { readonly token: CST.Token; readonly depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > limit) return token.offset;
    if (token.type === 'document' && token.value !== undefined) open.push({ token: token.value, depth });
    if (!CST.isCollection(token)) continue;
    for (const item of token.items) {
      if (item.key !== undefined && item.key !== null) open.push({ token: item.key, depth: depth + 1 });
      if (item.value !== undefined) open.push({ token: item.value, depth: depth + 1 });
    }
  }
  return null;
}

function forbiddenParts(document: Document.Parsed | Document, source: Source): YamlProblem[] {
  const problems: YamlProblem[] = [];
  const refuse = (node: unknown, message: string, path = '') => {
    const [start, end] = (isNode(node) ? node.range : null) ?? [0, 1];
    problems.push({ ...at(source, start, end), path, message });
  };
  const isTagTold = document.warnings.concat(document.errors).some(({ code }) => code === 'TAG_RESOLVE_FAILED');
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) refuse(node, 'aliases are not supported, and a text that begins with * must stand in quotes');
      else if (node.anchor !== undefined) {
        refuse(node, 'anchors are not supported, and a text that begins with & must stand in quotes');
      } else if (node.tag !== undefined && !isTagTold) {
        refuse(node, 'tags are not supported, and a text that begins with ! must stand in quotes');
      }
    },
    Pair: (_, { key }) => {
      if (isScalar(key) && key.value === '<<') refuse(key, 'merge keys are not supported');
    },
    Map: (_, map) => {
      for (const { key, first } of repeatedKeys(map)) {
        const { line } = at(source, first.range?.[0] ?? 0);
        refuse(key, `stands twice; the first is in line ${String(line)}`, String(key.value).slice(0, 100));
      }
    },
  });
  return problems;
}

function repeatedKeys(map: YAMLMap): readonly { readonly key: Scalar; readonly first: Scalar }[] {
  const firsts = new Map<string, Scalar>();
  return map.items.flatMap(({ key }) => {
    if (!isScalar(key)) return [];
    const first = firsts.get(String(key.value));
    if (first !== undefined) return [{ key, first }];
    firsts.set(String(key.value), key);
    return [];
  });
}

/** The document with every alias taken for the text that it most likely was: nothing in it leads anywhere else. */
function mended(document: Document.Parsed | Document, { text }: Source): Document.Parsed | Document {
  visit(document, {
    Alias: (_, alias) => {
      const [start, end] = alias.range ?? [0, 0];
      const scalar = new Scalar(text.slice(start, end));
      scalar.range = alias.range ?? null;
      return scalar;
    },
  });
  return document;
}

function located(document: Document.Parsed | Document, source: Source): YamlDocument {
  const rangeOf = (node: unknown, fallback: readonly [number, number]): readonly [number, number] => {
    const range = isNode(node) ? node.range : null;
    return range === undefined || range === null ? fallback : [range[0], range[1]];
  };
  const follow = (path: YamlPath) => {
    let node: unknown = document.contents;
    let value = rangeOf(node, [0, 1]);
    let key = value;
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === step);
        if (pair === undefined) break;
        key = rangeOf(pair.key, value);
        node = pair.value;
        value = isEmpty(node) ? key : rangeOf(node, key);
      } else if (isSeq(node) && typeof step === 'number') {
        node = node.items[step];
        value = rangeOf(node, value);
        key = value;
      } else break;
    }
    return { value, key };
  };
  return {
    value: document.contents === null ? {} : (document.toJS() ?? {}),
    has: (path) => document.hasIn(path),
    placeOf: (path) => at(source, ...follow(path).value),
    placeOfKey: (path) => at(source, ...follow(path).key),
  };
}

/** Whether nothing is written there: then its key is what one looks for. */
function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null && (node.range?.[0] ?? 0) === (node.range?.[1] ?? 0);
}
