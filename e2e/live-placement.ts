import { countLines, findFileDiff, placeLines, type FileDiff, type Placement } from '@drydock/core';
import { toGitLabPosition, type GitLabPosition } from '@drydock/forge';
import { readDiff } from '@drydock/git';
import { aGitRepository } from '@drydock/testkit';
import type { LiveNote } from './live-gitlab.ts';
import { livePlaces, placementChange, wrongPlaces, type LivePlace } from './live-placement-change.ts';
import type { LiveTree } from './live-tree.ts';
import type { LiveChange } from './open-live-change.ts';
import { noSignal, type Live } from './open-live.ts';

/** GitLab's first version that knows comments on files. */
const fileNotesSince = [16, 4] as const;

/**
 * Puts a comment on every kind of place, by the product's own placing and adapter, and reads back where it stands.
 * Gives what is wrong, in words; nothing: all is well.
 */
export async function findPlacementProblems(live: Live, change: LiveChange): Promise<readonly string[]> {
  const files = await readLocalDiff(live);
  const problems: string[] = [];
  const posted: { readonly place: LivePlace; readonly noteId: string; readonly sent: GitLabPosition }[] = [];
  for (const place of livePlaces) {
    const placement = placeLines(place, findFileDiff(files, place), countsOf(place, files));
    if (placement.kind !== place.kind) {
      problems.push(`${place.name}: placed as ${placement.kind}, not ${place.kind}`);
      continue;
    }
    const body = `Live test: ${place.name}.`;
    const created = await live.forge.createThread(change.ref, { placement, refs: change.refs, body }, noSignal);
    const isExpected = place.kind === 'inline' || knowsFileNotes(live.version);
    if (created.kind === 'created') {
      const sent = toGitLabPosition(placement, change.refs);
      posted.push({ place, noteId: created.noteId, sent });
    } else if (isExpected) problems.push(`${place.name}: refused (${created.why})`);
  }
  const notes = (await live.bot.gitlab.discussions(change.liveRef)).flatMap((discussion) => discussion.notes);
  for (const { place, noteId, sent } of posted) {
    const difference = compare(
      sent,
      notes.find((note) => String(note.id) === noteId),
    );
    if (difference !== null) problems.push(`${place.name}: ${difference}`);
  }
  return problems;
}

/** Tries the places that our fake refuses; gives those that this GitLab takes, in words. */
export async function findWronglyTaken(live: Live, change: LiveChange): Promise<readonly string[]> {
  const taken: string[] = [];
  for (const { name, path, point } of wrongPlaces) {
    const placement: Placement = {
      kind: 'inline',
      oldPath: path,
      newPath: path,
      side: 'new',
      start: point,
      end: point,
    };
    const thread = { placement, refs: change.refs, body: `Live test, not to be taken: ${name}.` };
    const created = await live.forge.createThread(change.ref, thread, noSignal);
    if (created.kind === 'created') taken.push(`${name}: taken, though our fake GitLab refuses it`);
  }
  return taken;
}

/** The same two states in a repository of our own: their diff is the one that GitLab has. */
async function readLocalDiff({ settings }: Live): Promise<readonly FileDiff[]> {
  await using repository = await aGitRepository();
  const { base, head } = placementChange;
  const gone = Object.keys(base).filter((path) => !(path in head));
  const baseSha = await repository.commit(base);
  const headSha = await repository.commit({ ...Object.fromEntries(gone.map((path) => [path, null])), ...head });
  const repo = { gitDir: repository.gitDir, searchPath: settings.searchPath };
  return await readDiff({ repo, baseSha, headSha }, noSignal);
}

function countsOf(place: LivePlace, files: readonly FileDiff[]) {
  const file = findFileDiff(files, place);
  const count = (tree: LiveTree, path: string | undefined) => {
    const content = path === undefined ? undefined : tree[path];
    if (content === undefined) return null;
    return countLines(Buffer.from(typeof content === 'string' || Buffer.isBuffer(content) ? content : content.content));
  };
  return { old: count(placementChange.base, file?.oldPath), new: count(placementChange.head, file?.newPath) };
}

function knowsFileNotes(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [sinceMajor, sinceMinor] = fileNotesSince;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

/** How a comment stands elsewhere than it was put; null: it stands there. */
function compare(sent: GitLabPosition, note: LiveNote | undefined): string | null {
  const position = note?.position;
  if (note === undefined || position === null || position === undefined) return 'it does not stand on the diff';
  const { line_range: sentRange, ...sentRest } = sent;
  const { line_range: range, ...rest } = position;
  const expected = { old_line: null, new_line: null, ...sentRest };
  const found = { ...rest, old_line: rest.old_line ?? null, new_line: rest.new_line ?? null };
  const differences = (Object.keys(expected) as (keyof typeof expected)[])
    .filter((key) => expected[key] !== found[key])
    .map((key) => `${key} is ${String(found[key])}, not ${String(expected[key])}`);
  for (const end of ['start', 'end'] as const) {
    const code = range?.[end].line_code;
    if (sentRange !== undefined && code !== sentRange[end].line_code)
      differences.push(`its range's ${end} is ${String(code)}, not ${sentRange[end].line_code}`);
  }
  return differences.length === 0 ? null : differences.join(', ');
}
