import type { DiffPoint, LineClaim } from '@drydock/core';
import type { LiveTree } from './live-tree.ts';
import type { LiveChangePlan } from './open-live-change.ts';

/** A change with every kind of line that a comment can stand on. */
const folder = 'drydock-live/placement';
const at = (name: string) => `${folder}/${name}`;

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `line ${index + 1}`);
}

function text(lines: readonly string[], ending = '\n'): string {
  return lines.map((line) => `${line}${ending}`).join('');
}

/** Line 10 is replaced by three, lines 30 and 31 go, line 50 is replaced: three hunks with unchanged lines between. */
function changed(lines: readonly string[]): string[] {
  return lines.flatMap((line, index) => {
    if (index === 9) return ['changed line 10', 'new line a', 'new line b'];
    if (index === 29 || index === 30) return [];
    return index === 49 ? ['changed line 50'] : [line];
  });
}

const long = numbered(60);
const script = 'echo drydock\n';
const base: LiveTree = {
  [at('long.txt')]: text(long),
  [at('old name.txt')]: text(long),
  [at('moved.txt')]: text(numbered(20)),
  [at('gone.txt')]: text(numbered(5)),
  [at('crlf.txt')]: text(numbered(12), '\r\n'),
  [at('no-newline.txt')]: text(numbered(3)).trimEnd(),
  [at('script.sh')]: script,
  [at('image.bin')]: Buffer.from([0, 1, 2, 255, 0, 7]),
};
const head: LiveTree = {
  [at('long.txt')]: text(changed(long)),
  [at('new né & m=e.txt')]: text(changed(long)),
  [at('sub/moved.txt')]: text(numbered(20)),
  [at('crlf.txt')]: text(numbered(12), '\r\n').replace('line 6\r', 'changed line 6\r'),
  [at('no-newline.txt')]: text(['line 1', 'line 2', 'changed line 3']).trimEnd(),
  [at('script.sh')]: { content: script, mode: '100755' },
  [at('image.bin')]: Buffer.from([0, 1, 2, 255, 0, 8]),
  // Of other words than the deleted file, of which it would be the new name.
  [at('added.txt')]: text(['one', 'two', 'three', 'four', 'five']),
  [at('empty.txt')]: '',
};

/** The change that comments are put on. */
export const placementChange: LiveChangePlan = {
  title: 'Drydock live test: places of comments',
  base,
  head,
  moves: { [at('new né & m=e.txt')]: at('old name.txt'), [at('sub/moved.txt')]: at('moved.txt') },
};

/** A claim that our code must find a place for, which GitLab must take. */
export interface LivePlace extends LineClaim {
  readonly name: string;
  readonly kind: 'inline' | 'file';
}

function place(
  name: string,
  file: string,
  side: LineClaim['side'],
  startLine: number,
  endLine = startLine,
  kind: LivePlace['kind'] = 'inline',
): LivePlace {
  return { name, path: at(file), side, startLine, endLine, kind };
}

const renamed = 'new né & m=e.txt';

/** One for each kind. */
export const livePlaces: readonly LivePlace[] = [
  place('an added line', 'long.txt', 'new', 11),
  place('a removed line', 'long.txt', 'old', 30),
  place('a replaced line, as it was', 'long.txt', 'old', 10),
  place('an unchanged line in a hunk', 'long.txt', 'new', 14),
  place('an unchanged line in a hunk, named by the old side', 'long.txt', 'old', 12),
  place('an unchanged line between hunks', 'long.txt', 'new', 22),
  place('an unchanged line behind the last hunk', 'long.txt', 'new', 60),
  place('several added lines', 'long.txt', 'new', 10, 12),
  place('several removed lines', 'long.txt', 'old', 30, 31),
  place('an unchanged line to an added one', 'long.txt', 'new', 8, 11),
  place('an unchanged line to a removed one', 'long.txt', 'old', 28, 31),
  place('a range over two hunks', 'long.txt', 'new', 12, 30),
  place('several unchanged lines between hunks', 'long.txt', 'new', 20, 23),
  place('a line of a new file', 'added.txt', 'new', 2),
  place('a whole new file', 'added.txt', 'new', 1, 5),
  place('a line of a deleted file', 'gone.txt', 'old', 2),
  place('an added line of a renamed file', renamed, 'new', 11),
  place('a removed line of a renamed file', 'old name.txt', 'old', 30),
  place('an unchanged line in a hunk of a renamed file', renamed, 'new', 14),
  place('an unchanged line outside the hunks of a renamed file', renamed, 'new', 22),
  place('several lines of a renamed file', renamed, 'new', 10, 12),
  place('a line that ends in CRLF', 'crlf.txt', 'new', 6),
  place('a last line without a newline', 'no-newline.txt', 'new', 3),
  place('a renamed file without changes', 'sub/moved.txt', 'new', 1, 1, 'file'),
  place('an empty new file', 'empty.txt', 'new', 1, 1, 'file'),
  place('a file whose mode alone changed', 'script.sh', 'new', 1, 1, 'file'),
  place('a binary file', 'image.bin', 'new', 1, 1, 'file'),
];

/** A place that our fake refuses; a GitLab that takes it shows the fake to be wrong. */
export interface WrongPlace {
  readonly name: string;
  readonly path: string;
  readonly point: DiffPoint;
}

function wrong(name: string, file: string, oldLine: number | null, newLine: number | null): WrongPlace {
  const counters = { oldCounter: oldLine ?? 1, newCounter: newLine ?? 1 };
  return { name, path: at(file), point: { kind: 'context', oldLine, newLine, ...counters } };
}

/** One for each refusal that our placing relies on. */
export const wrongPlaces: readonly WrongPlace[] = [
  wrong('an unchanged line by its new number alone', 'long.txt', null, 14),
  wrong('an unchanged line by its old number alone', 'long.txt', 12, null),
  wrong('an added line with an old number', 'long.txt', 11, 11),
  wrong('a line outside the hunks by its new number alone', 'long.txt', null, 22),
  wrong('a line behind the end of the file', 'long.txt', null, 1000),
  wrong('a file that the change does not touch', 'nowhere.txt', null, 1),
];
