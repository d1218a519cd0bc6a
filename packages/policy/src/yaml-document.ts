/**
 * Reads YAML that strangers may have written: one small document of maps, lists and scalars. No tags, anchors, aliases
 * or merge keys, no duplicate keys, bounded size and depth, so that reading costs little whatever stands there.
 */
import { Composer, CST, Document, LineCounter, Parser, isAlias, isMap, isNode, isScalar, isSeq, visit } from 'yaml';

/** Something wrong in a YAML file, and where. */
export interface YamlProblem {
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  /** The key it is about, such as `budget.usdPerRun`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** The known key that an unknown one comes nearest to. */
  readonly didYouMean?: string;
}

/** A place in a YAML value: keys and list positions from the top. */
export type YamlPath = readonly PropertyKey[];

/** A read document: plain data, and where each part of it stands. */
export interface YamlDocument {
  readonly value: unknown;
  /** Where the value at `path` stands; what is missing stands where its parent does. 1-based. */
  positionOf(path: YamlPath): { readonly line: number; readonly column: number };
  /** Where the last key of `path` stands. 1-based. */
  positionOfKey(path: YamlPath): { readonly line: number; readonly column: number };
}

const maxBytes = 64 * 1024;
const maxDepth = 16;

/** Reads one YAML document. An empty one is an empty map. */
export function readYaml(
  text: string,
):
  | { readonly kind: 'read'; readonly document: YamlDocument }
  | { readonly kind: 'broken'; readonly problems: readonly YamlProblem[] } {
  const broken = (...problems: readonly YamlProblem[]) => ({ kind: 'broken', problems }) as const;
  if (Buffer.byteLength(text) > maxBytes) {
    return broken({ line: 1, column: 1, path: '', message: `the file is larger than ${String(maxBytes)} bytes` });
  }
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const tooDeep = firstDeeperThan(tokens, maxDepth);
  if (tooDeep !== null) {
    return broken({ ...at(lines, tooDeep), path: '', message: `more than ${String(maxDepth)} levels of nesting` });
  }
  const [document = new Document({}), second] = new Composer({
    lineCounter: lines,
    resolveKnownTags: false,
    schema: 'core',
    stringKeys: true,
    version: '1.2',
  }).compose(tokens, true, text.length);
  if (second !== undefined) {
    return broken({ ...at(lines, second.range[0]), path: '', message: 'more than one document in the file' });
  }
  const faults = [...document.errors, ...document.warnings].map((fault) => ({
    ...at(lines, fault.pos[0]),
    path: '',
    message: fault.message,
  }));
  const problems = [...faults, ...forbiddenParts(document, lines)];
  if (problems.length > 0) return broken(...problems);
  return { kind: 'read', document: located(document, lines) };
}

function at(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
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

function forbiddenParts(document: Document.Parsed | Document, lines: LineCounter): YamlProblem[] {
  const problems: YamlProblem[] = [];
  const refuse = (node: unknown, message: string) => {
    const offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
    problems.push({ ...at(lines, offset), path: '', message });
  };
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node) || node.anchor !== undefined) refuse(node, 'anchors and aliases are not supported');
      else if (node.tag !== undefined) refuse(node, 'tags are not supported');
    },
    Pair: (_, { key }) => {
      if (isScalar(key) && key.value === '<<') refuse(key, 'merge keys are not supported');
    },
  });
  return problems;
}

function located(document: Document.Parsed | Document, lines: LineCounter): YamlDocument {
  const offsetOf = (node: unknown, fallback: number) => (isNode(node) ? (node.range?.[0] ?? fallback) : fallback);
  const follow = (path: YamlPath) => {
    let node: unknown = document.contents;
    let valueOffset = offsetOf(node, 0);
    let keyOffset = valueOffset;
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
        if (pair === undefined) break;
        keyOffset = offsetOf(pair.key, valueOffset);
        node = pair.value;
        valueOffset = offsetOf(node, keyOffset);
      } else if (isSeq(node) && typeof step === 'number') {
        node = node.items[step];
        valueOffset = offsetOf(node, valueOffset);
        keyOffset = valueOffset;
      } else break;
    }
    return { valueOffset, keyOffset };
  };
  return {
    value: document.contents === null ? {} : (document.toJS() ?? {}),
    positionOf: (path) => at(lines, follow(path).valueOffset),
    positionOfKey: (path) => at(lines, follow(path).keyOffset),
  };
}
