/** Files of a branch as the live suite wants them, and the way from one state to the next in GitLab's actions. */

/** A file that is more than its content. */
interface ExecutableFile {
  readonly content: string;
  readonly mode: '100755';
}

/** Content by path. */
export type LiveTree = Readonly<Record<string, string | Buffer | ExecutableFile>>;

/** One action of a commit. @see https://docs.gitlab.com/api/commits/#create-a-commit-with-multiple-files-and-actions */
export type LiveAction =
  | {
      readonly action: 'create' | 'update';
      readonly file_path: string;
      readonly content: string;
      readonly encoding: 'base64';
    }
  | {
      readonly action: 'move';
      readonly file_path: string;
      readonly previous_path: string;
      readonly content: string;
      readonly encoding: 'base64';
    }
  | { readonly action: 'delete'; readonly file_path: string }
  | { readonly action: 'chmod'; readonly file_path: string; readonly execute_filemode: boolean };

/** The actions that make `after` of `before`; `moves` are old paths by their new ones. */
export function actionsBetween(
  before: LiveTree,
  after: LiveTree,
  moves: Readonly<Record<string, string>> = {},
): readonly LiveAction[] {
  const moved = new Set(Object.values(moves));
  const gone = Object.keys(before).filter((path) => !(path in after) && !moved.has(path));
  const deletes = gone.map((path): LiveAction => ({ action: 'delete', file_path: path }));
  return [...deletes, ...Object.keys(after).flatMap((path) => actionsFor(path, before, after, moves[path]))];
}

function actionsFor(path: string, before: LiveTree, after: LiveTree, previousPath: string | undefined): LiveAction[] {
  const is = stateOf(after, path);
  const was = stateOf(before, previousPath ?? path);
  if (is === null) return [];
  const written = { file_path: path, content: is.content.toString('base64'), encoding: 'base64' as const };
  const actions: LiveAction[] = [];
  if (was === null) actions.push({ action: 'create', ...written });
  else if (previousPath !== undefined) actions.push({ action: 'move', ...written, previous_path: previousPath });
  else if (!is.content.equals(was.content)) actions.push({ action: 'update', ...written });
  if (is.isExecutable !== (was?.isExecutable ?? false))
    actions.push({ action: 'chmod', file_path: path, execute_filemode: is.isExecutable });
  return actions;
}

function stateOf(tree: LiveTree, path: string): { readonly content: Buffer; readonly isExecutable: boolean } | null {
  const file = tree[path];
  if (file === undefined) return null;
  if (typeof file === 'string' || Buffer.isBuffer(file)) return { content: Buffer.from(file), isExecutable: false };
  return { content: Buffer.from(file.content), isExecutable: true };
}
