import { readFile } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Plugin } from 'esbuild';
import ts from 'typescript';

/** Where a file or folder beside our sources goes: both paths are absolute. */
export interface Asset {
  readonly from: string;
  readonly to: string;
}

/** The outer shape of the build. All paths but the names of outputs are absolute. */
export interface OwnUrlSettings {
  /** The checkout: what is below its `packages` is ours. */
  readonly root: string;
  /** The one folder of all modules built: so an address is the same for each of them. */
  readonly outDir: string;
  /** Where a file of ours is found from `outDir`, when that is no copy: programs that are built, the manifest. */
  readonly known: ReadonlyMap<string, string>;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Sources find what lies beside them by `new URL('x', import.meta.url)`, which names another place once they are
 * bundled. This gives each such address its new place and notes what must be copied there. Any other use of
 * `import.meta` fails the build: it would point somewhere that nobody has looked at.
 */
export function ownUrls(settings: OwnUrlSettings): {
  readonly plugin: Plugin;
  readonly assets: ReadonlyMap<string, Asset>;
} {
  const assets = new Map<string, Asset>();
  const filter = /[\\/]packages[\\/][^\\/]+[\\/]src[\\/].*\.ts$/;
  const plugin: Plugin = {
    name: 'own-urls',
    setup(build) {
      build.onLoad({ filter }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        if (!source.includes('import.meta')) return null;
        const { text, errors } = rewriteUrls({ path, source }, settings, assets);
        return { contents: text, loader: 'ts', errors: errors.map((error) => ({ text: error })) };
      });
    },
  };
  return { plugin, assets };
}

/** The source with its addresses changed, and what could not be. New assets are added to `assets`. */
export function rewriteUrls(
  { path, source }: { readonly path: string; readonly source: string },
  settings: OwnUrlSettings,
  assets: Map<string, Asset>,
): { readonly text: string; readonly errors: readonly string[] } {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const edits: Edit[] = [];
  const errors: string[] = [];
  const visit = (node: ts.Node): void => {
    const address = addressOf(node);
    if (address !== null) {
      const placed = place(resolve(dirname(path), address.text), settings);
      if (placed === null) errors.push(complaint(file, node, 'names nothing that is packed'));
      else {
        if (placed.asset !== null) assets.set(placed.asset.from, placed.asset);
        const start = address.node.getStart(file) + 1; // past the quote
        const slash = address.text.endsWith('/') ? '/' : '';
        edits.push({ start, end: start + address.text.length, text: placed.address + slash });
      }
      return;
    }
    if (ts.isMetaProperty(node)) errors.push(complaint(file, node, 'use new URL("…", import.meta.url) alone'));
    ts.forEachChild(node, visit);
  };
  visit(file);
  const text = edits.reduceRight(
    (done, { start, end, text: to }) => done.slice(0, start) + to + done.slice(end),
    source,
  );
  return { text, errors };
}

/** The constant part of the address in `new URL(address, import.meta.url)`: all of it, or the folder that it begins with. */
function addressOf(node: ts.Node): { readonly node: ts.Node; readonly text: string } | null {
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return null;
  const [address, base] = node.arguments ?? [];
  if (address === undefined || base?.getText() !== 'import.meta.url') return null;
  if (ts.isStringLiteralLike(address)) return { node: address, text: address.text };
  if (!ts.isTemplateExpression(address)) return null;
  const folder = address.head.text.replace(/[^/]*$/, '');
  return folder === '' || address.head.text !== folder ? null : { node: address, text: folder };
}

function place(
  target: string,
  { root, outDir, known }: OwnUrlSettings,
): { address: string; asset: Asset | null } | null {
  const address = known.get(target);
  if (address !== undefined) return { address, asset: null };
  const match = /^packages\/([^/]+)\/src\/(.+)$/.exec(relative(root, target).split(sep).join('/'));
  if (match === null || target.endsWith('.ts')) return null; // a program that nobody builds
  if (statSync(target, { throwIfNoEntry: false }) === undefined) return null;
  const copied = `assets/${match[1] ?? ''}/${match[2] ?? ''}`;
  return { address: copied, asset: { from: target, to: join(outDir, copied) } };
}

function complaint(file: ts.SourceFile, node: ts.Node, what: string): string {
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
  return `${file.fileName}:${line + 1}: ${node.getText(file)}: ${what}`;
}
