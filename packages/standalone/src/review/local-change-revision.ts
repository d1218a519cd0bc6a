import { runGit, runUserGit, type FoundRepository, type RepositoryView, type UserGitPlace } from '@drydock/git';
import { deepen, refuse, type Refused } from './local-change-refusal.ts';
import { plain } from './local-change-text.ts';

/** What a revision means. A tag is what it names. */
export type Revision =
  { readonly kind: 'commit'; readonly sha: string } | { readonly kind: 'tree'; readonly sha: string };

const fullId = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const maxRevisionCharacters = 1000;

/** Whether this is a commit's whole id. */
export function isFullId(text: string): boolean {
  return fullId.test(text);
}

/** Asks the user's git what a revision means, and the view whether it is there. `flag` is what people gave it by. */
export async function resolveRevision(
  at: { readonly place: UserGitPlace; readonly repository: FoundRepository; readonly view: RepositoryView },
  given: { readonly flag: '--base' | '--head'; readonly text: string },
  signal: AbortSignal,
): Promise<Revision | Refused> {
  const { flag, text } = given;
  const shown = `${flag} ${plain(text)}`.trim();
  if (text === '' || text.includes('\0') || text.length > maxRevisionCharacters)
    return refuse(`${flag} is no revision.`, 'name a branch, a tag or a commit.');
  const args = ['rev-parse', '--verify', '--end-of-options', text];
  const limits = { timeoutMs: 30_000, maxOutputBytes: 100_000 };
  const { exitCode, stdout, said } = await runUserGit({ place: at.place, args, ...limits }, signal);
  const oid = stdout.toString('utf8').trim();
  if (exitCode !== 0 || !fullId.test(oid)) return refusalOf(shown, text, said, at.repository.isShallow);
  const peeled = await peel(at.view, [`${oid}^{commit}`, `${oid}^{tree}`], signal);
  const [commit = null, tree = null] = peeled;
  if (commit !== null) return { kind: 'commit', sha: commit };
  if (tree !== null && flag === '--base') return { kind: 'tree', sha: tree };
  if (fullId.test(text) || at.view.isPartial) {
    const hint = at.repository.isShallow ? deepen : `fetch it, such as with \`git fetch origin ${oid}\`.`;
    return refuse(`${shown}: this repository does not have it.`, hint);
  }
  return refuse(`${shown} is no commit.`, 'name a branch, a tag or a commit.');
}

function refusalOf(shown: string, text: string, said: string, isShallow: boolean): Refused {
  if (text.includes('..')) return refuse(`${shown} is a range.`, 'name its ends with --base and --head.');
  if (/ambiguous/i.test(said) && /short object ID/i.test(said)) {
    return refuse(`${shown} may mean several commits.`, 'give more digits of its id.');
  }
  const fetchIt = text.includes('/') ? 'fetch it if it is of a remote, or ' : '';
  const end = isShallow ? `; this clone is shallow: ${deepen}` : '.';
  return refuse(`${shown} is unknown here.`, `${fetchIt}look for its name with \`git branch --all\`${end}`);
}

/** The ids of what full ids with a suffix such as `^{tree}` mean; null: not there, or nothing of the kind. */
export async function peel(
  { repository }: RepositoryView,
  names: readonly string[],
  signal: AbortSignal,
): Promise<(string | null)[]> {
  const { stdout } = await runGit({
    repo: repository,
    args: ['cat-file', '--batch-check=%(objectname)', '--buffer'],
    input: names.map((name) => `${name}\n`).join(''),
    ...{ signal, timeoutMs: 30_000, maxOutputBytes: 100_000 },
  });
  const lines = stdout.toString('latin1').split('\n');
  return names.map((_, index) => {
    const line = lines[index] ?? '';
    return fullId.test(line) ? line : null;
  });
}
