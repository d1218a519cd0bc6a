/** Says of a glob over repository paths that it cannot match what it seems to mean. */
export interface OddGlob {
  readonly message: string;
  readonly didYouMean?: string;
}

type Check = (glob: string) => OddGlob | null;

const plainFileNames = /^(?:[A-Z][\w-]*|.*\..*)$/; // such as Makefile, LICENSE, .gitignore and setup.py

const checks: readonly Check[] = [
  (glob) => (glob.trim() === '' ? { message: 'is empty, and matches nothing' } : null),
  (glob) => (glob === glob.trim() ? null : meaning('has white space around it', glob.trim())),
  (glob) =>
    glob.startsWith('!')
      ? { message: 'begins with !, which stands for itself: a glob cannot take back what another one matches' }
      : null,
  (glob) =>
    /^\^|\$$|(?<![*/])\.\*|\\\.|\(\?:|\\[dws]/.test(glob)
      ? { message: 'looks like a regular expression; it is read as a glob, such as **/*.ts' }
      : null,
  (glob) =>
    /\\(?=[\w*])/.test(glob)
      ? meaning('has a backslash: folders are divided by /', glob.replaceAll(/\\+(?=[\w*])/g, '/'))
      : null,
  (glob) =>
    /^[a-z]:/i.test(glob) ? { message: 'begins with a drive: paths begin at the root of the repository' } : null,
  (glob) =>
    glob.startsWith('/') ? meaning('begins with /: no path in a repository does', glob.replace(/^\/+/, '')) : null,
  (glob) =>
    glob.split('/').includes('..') ? { message: 'leaves the repository with ..: nothing of it is there' } : null,
  (glob) => (glob.endsWith('/') ? meaning('ends with /, as no file does', `${glob.replace(/\/+$/, '')}/**`) : null),
  (glob) =>
    /[^/]\/\/+/.test(glob) ? meaning('has an empty name between two /', glob.replaceAll(/\/\/+/g, '/')) : null,
  (glob) => (bracketWithoutEnd(glob, '[', ']') ? { message: 'has a [ without its ], which stands for itself' } : null),
  (glob) => (bracketWithoutEnd(glob, '{', '}') ? { message: 'has a { without its }, which stands for itself' } : null),
  (glob) =>
    /\{[^,{}]*\}/.test(glob)
      ? meaning(
          'has braces around a single choice, which stand for themselves',
          glob.replaceAll(/\{([^,{}]*)\}/g, '$1'),
        )
      : null,
  (glob) => (choicesOf(glob) > 64 ? { message: 'has more than 64 alternatives: only the first 64 count' } : null),
  (glob) =>
    /(?<=[^/*])\*\*|\*\*(?=[^/*])/.test(glob)
      ? meaning(
          'has a ** that is no whole folder, and is read as *',
          glob.replace(/(?<=[^/*])\*\*/g, '/**').replace(/\*\*(?=[^/*])/g, '**/*'),
        )
      : null,
  (glob) =>
    /^\*[^/*]*$/.test(glob) && glob !== '*' ? meaning('matches in the root alone, not in folders', `**/${glob}`) : null,
  (glob) => (glob === '*' ? meaning('matches in the root alone, not in folders', '**') : null),
  (glob) =>
    /^[^*?[{]*$/.test(glob) && !plainFileNames.test(glob.split('/').at(-1) ?? '')
      ? meaning('matches a file of that very name, not what is in a folder', `${glob}/**`)
      : null,
];

/** Why a glob is odd; null: nothing is. */
export function oddGlob(glob: string): OddGlob | null {
  for (const check of checks) {
    const odd = check(glob);
    if (odd !== null) return odd;
  }
  return null;
}

function meaning(message: string, didYouMean: string): OddGlob {
  return { message, didYouMean };
}

function bracketWithoutEnd(glob: string, open: string, close: string): boolean {
  return glob.replaceAll(/\\./g, '').lastIndexOf(open) > glob.replaceAll(/\\./g, '').lastIndexOf(close);
}

function choicesOf(glob: string): number {
  const groups: readonly string[] = glob.match(/\{[^{}]*\}/g) ?? [];
  return groups.reduce((product, group) => product * group.split(',').length, 1);
}
