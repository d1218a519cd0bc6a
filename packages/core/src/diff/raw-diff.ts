import { TerminalError } from '../errors.ts';

/** One changed path of a diff, as `git diff-tree -r --raw -z` lists it: rename pairing, modes and object ids. */
export interface RawDiffEntry {
  readonly status: 'added' | 'deleted' | 'modified' | 'renamed' | 'copied' | 'type-changed';
  /** Octal, as git prints it: `100644`, `100755`, `120000` (symlink), `160000` (submodule), `000000` (no such side). */
  readonly oldMode: string;
  readonly newMode: string;
  /** All zeros where the side does not exist. */
  readonly oldOid: string;
  readonly newOid: string;
  /** The same as `newPath` but in a rename or copy. */
  readonly oldPath: string;
  readonly newPath: string;
  /** False: a path is not UTF-8, stands here with replacement characters, and can be sent nowhere. */
  readonly pathIsValid: boolean;
  /** Percent, of renames and copies; else null. */
  readonly similarity: number | null;
}

const statuses: Readonly<Record<string, RawDiffEntry['status']>> = {
  A: 'added',
  D: 'deleted',
  M: 'modified',
  R: 'renamed',
  C: 'copied',
  T: 'type-changed',
};

const header = /^:(\d{6}) (\d{6}) ([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([ADMRCT])(\d{0,3})$/;
const nul = 0;

// A byte order mark at its beginning is part of the path.
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses the output of `git diff-tree -r --raw -z --no-abbrev`. Paths come from here and never from a patch's header,
 * which quotes some and is ambiguous for others. Throws `git.failed` on anything git does not write.
 *
 * @see https://git-scm.com/docs/diff-format
 */
export function parseRawDiff(raw: Buffer): RawDiffEntry[] {
  const fields = splitAtNul(raw);
  const entries: RawDiffEntry[] = [];
  for (let index = 0; index < fields.length;) {
    const [, oldMode = '', newMode = '', oldOid = '', newOid = '', letter = '', score = ''] =
      header.exec(fields[index]?.toString('latin1') ?? '') ?? unexpected('the header of an entry');
    const status = statuses[letter] ?? unexpected('a status');
    const hasTwoPaths = status === 'renamed' || status === 'copied';
    const oldPath = decodePath(fields[index + 1]);
    const newPath = hasTwoPaths ? decodePath(fields[index + 2]) : oldPath;
    entries.push({
      status,
      oldMode,
      newMode,
      oldOid,
      newOid,
      oldPath: oldPath.text,
      newPath: newPath.text,
      pathIsValid: oldPath.isValid && newPath.isValid,
      similarity: hasTwoPaths ? Number(score) : null,
    });
    index += hasTwoPaths ? 3 : 2;
  }
  return entries;
}

function splitAtNul(raw: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let start = 0; start < raw.length;) {
    const end = raw.indexOf(nul, start);
    if (end < 0) unexpected('an end without NUL');
    fields.push(raw.subarray(start, end));
    start = end + 1;
  }
  return fields;
}

function decodePath(bytes: Buffer | undefined): { readonly text: string; readonly isValid: boolean } {
  if (bytes === undefined || bytes.length === 0) return unexpected('an entry without its path');
  try {
    return { text: strictUtf8.decode(bytes), isValid: true };
  } catch {
    return { text: bytes.toString('utf8'), isValid: false };
  }
}

function unexpected(what: string): never {
  throw new TerminalError('git.failed', `the raw diff holds ${what} that git does not write`);
}
