import { writeObject, type GitRepository, type ObjectFormat } from '@drydock/git';

/** Fixed, so that the same content is the same commit, whoever reviews it and whenever. */
const nobody = 'Drydock <drydock@localhost> 946684800 +0000';

/** Wraps a tree in a commit of our own. */
export function writeCommit(
  repository: GitRepository,
  commit: {
    readonly format: ObjectFormat;
    readonly tree: string;
    readonly parents: readonly string[];
    readonly message: string;
  },
): Promise<string> {
  const { format, tree, parents, message } = commit;
  const lines = [`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), `author ${nobody}`];
  const content = `${[...lines, `committer ${nobody}`].join('\n')}\n\n${message}\n`;
  return writeObject(repository, { format, type: 'commit', content });
}

/** A commit of nothing, before everything. */
export async function writeEmptyCommit(repository: GitRepository, format: ObjectFormat): Promise<string> {
  const tree = await writeObject(repository, { format, type: 'tree', content: '' });
  return writeCommit(repository, { format, tree, parents: [], message: 'Nothing' });
}
