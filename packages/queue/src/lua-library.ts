import { readFileSync } from 'node:fs';

const pieces = ['prelude.lua', 'turns.lua', 'ending.lua', 'parking.lua'].flatMap((file) => piecesOf(readLua(file)));

/** A declaration of the library, or several on one line. */
interface Piece {
  readonly names: readonly string[];
  readonly source: string;
}

/**
 * A script of `lua/` with what it uses of the library before it, in the library's order: Redis keeps nothing of a script
 * between two calls, so that each declaration costs at every call.
 */
export function withLibrary(file: string): string {
  const script = readLua(file);
  const used = new Set<Piece>();
  const use = (source: string): void => {
    const words = new Set(source.match(/\w+/g));
    for (const piece of pieces) {
      if (used.has(piece) || !piece.names.some((name) => words.has(name))) continue;
      used.add(piece);
      use(piece.source);
    }
  };
  use(withoutComments(script));
  return [...pieces.filter((piece) => used.has(piece)).map(({ source }) => source), script].join('\n');
}

/** At its margin a file of the library has only comments, declarations, and the ends of these. */
function piecesOf(library: string): Piece[] {
  return withoutComments(library)
    .split(/^(?=local )/m)
    .map((source) => source.trim())
    .filter((source) => source !== '')
    .map((source) => {
      const [, names = ''] = /^local (?:function )?([\w, ]+)/.exec(source) ?? [];
      return { names: names.split(',').map((name) => name.trim()), source };
    });
}

function withoutComments(source: string): string {
  return source.replaceAll(/^\s*--.*\n/gm, '');
}

function readLua(file: string): string {
  return readFileSync(new URL(`./lua/${file}`, import.meta.url), 'utf8');
}
