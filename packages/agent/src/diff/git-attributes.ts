/**
 * Reads `.gitattributes`, as far as reviews need it: who says that a file is generated, vendored or no text. The files
 * are those of the target branch, so that a merge request cannot hide its own files. Git itself reads attributes of a
 * commit only in newer versions than we ask for.
 *
 * @see https://git-scm.com/docs/gitattributes
 */
import { compileGlob } from '@drydock/core';

/** One `.gitattributes` file. `folder` is where it lies: empty for the root, else with a slash at its end. */
export interface AttributesFile {
  readonly folder: string;
  readonly text: string;
}

/** A file's attribute: `true` is set, `false` unset (`-name`), a text its value; undefined: nothing is said. */
export type AttributeValue = boolean | string | undefined;

/** Looks up an attribute of a path. */
export type Attributes = (path: string, name: string) => AttributeValue;

interface Rule {
  readonly matches: (path: string) => boolean;
  readonly values: ReadonlyMap<string, AttributeValue>;
}

type Macros = ReadonlyMap<string, ReadonlyMap<string, AttributeValue>>;

const maxLines = 5000;
const maxLineChars = 2048; // as in git

const builtIn: Macros = new Map([
  [
    'binary',
    new Map([
      ['diff', false],
      ['merge', false],
      ['text', false],
    ]),
  ],
]);

/** The attributes of several files together: deeper folders win over their parents, later lines over earlier ones. */
export function readAttributes(files: readonly AttributesFile[]): Attributes {
  const ordered = [...files].sort((left, right) => left.folder.length - right.folder.length);
  const root = ordered.find((file) => file.folder === '');
  const macros = root === undefined ? builtIn : readMacros(root.text);
  const rules = ordered.flatMap((file) => readRules(file, macros)).reverse();
  return (path, name) => {
    for (const rule of rules) {
      if (rule.values.has(name) && rule.matches(path)) return rule.values.get(name);
    }
    return undefined;
  };
}

/** The folders whose `.gitattributes` could speak of these paths, the root as the empty text. */
export function attributeFolders(paths: readonly string[]): readonly string[] {
  const folders = new Set(['']);
  for (const path of paths) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) folders.add(path.slice(0, end + 1));
  }
  return [...folders].sort();
}

function readMacros(text: string): Macros {
  const macros = new Map(builtIn);
  for (const line of linesOf(text)) {
    const [head = '', ...words] = line.split(/[ \t]+/);
    if (head.startsWith('[attr]')) macros.set(head.slice('[attr]'.length), readValues(words, macros));
  }
  return macros;
}

function readRules({ folder, text }: AttributesFile, macros: Macros): Rule[] {
  return linesOf(text).flatMap((line) => {
    const { pattern, rest } = splitPattern(line);
    if (pattern === '' || pattern.startsWith('[attr]') || pattern.startsWith('!')) return [];
    return [{ matches: compilePattern(folder, pattern), values: readValues(rest.split(/[ \t]+/), macros) }];
  });
}

function linesOf(text: string): readonly string[] {
  return text
    .split(/\r?\n/, maxLines)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && line.length <= maxLineChars);
}

/** A pattern may stand in double quotes, with the usual escapes. */
function splitPattern(line: string): { readonly pattern: string; readonly rest: string } {
  const quoted = /^"((?:\\.|[^"\\])*)"(.*)$/.exec(line);
  if (quoted !== null) return { pattern: (quoted[1] ?? '').replace(/\\(.)/g, '$1'), rest: (quoted[2] ?? '').trim() };
  const end = line.search(/[ \t]/);
  return end < 0 ? { pattern: line, rest: '' } : { pattern: line.slice(0, end), rest: line.slice(end).trim() };
}

function readValues(words: readonly string[], macros: Macros): ReadonlyMap<string, AttributeValue> {
  const values = new Map<string, AttributeValue>();
  for (const word of words.filter((part) => part !== '')) {
    const [, sign = '', name = '', value] = /^([-!]?)([^=]+)(?:=(.*))?$/.exec(word) ?? [];
    const macro = sign === '' ? macros.get(name) : undefined;
    for (const [key, inner] of macro ?? []) values.set(key, inner);
    values.set(name, sign === '-' ? false : sign === '!' ? undefined : (value ?? true));
  }
  return values;
}

/** Without a slash a pattern is about names anywhere below; with one it is about paths from its folder on. */
function compilePattern(folder: string, pattern: string): (path: string) => boolean {
  if (pattern.endsWith('/')) return () => false; // names folders, which have no attributes
  const isAnchored = pattern.includes('/');
  // Git knows no braces.
  const matches = compileGlob(pattern.replace(/^\//, '').replace(/[{}]/g, '\\$&'));
  return (path) => {
    if (!path.startsWith(folder)) return false;
    const below = path.slice(folder.length);
    return matches(isAnchored ? below : below.slice(below.lastIndexOf('/') + 1));
  };
}
