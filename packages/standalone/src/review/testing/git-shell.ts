import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Plain git, one command after the other. */
export interface GitShell extends AsyncDisposable {
  /** Runs git with these variables and no others; the answer has no line end. */
  run(cwd: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<string>;
}

/** Starts a shell that starts git: a process as large as that of a test takes several times as long for it. */
export function startGitShell(folder: string): GitShell {
  const shell = spawn('sh', { env: {}, stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = new Promise((resolve) => shell.on('close', resolve));
  const exitCodes = createInterface({ input: shell.stdout })[Symbol.asyncIterator]();
  const [output, complaints] = [join(folder, 'output'), join(folder, 'complaints')];

  const run: GitShell['run'] = async (cwd, args, env) => {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`);
    const command = [...variables, 'git', ...args.map(quote)].join(' ');
    shell.stdin.write(
      `(cd ${quote(cwd)} && ${command}) </dev/null >${quote(output)} 2>${quote(complaints)}; echo $?\n`,
    );
    const exitCode = await exitCodes.next();
    if (exitCode.value !== '0') throw new Error(`git ${args.join(' ')}: ${await readFile(complaints, 'utf8')}`);
    return (await readFile(output, 'utf8')).replace(/\n$/, '');
  };

  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (...call) => {
      const mine = last.then(() => run(...call));
      last = mine.catch(() => undefined);
      return mine;
    },
    [Symbol.asyncDispose]: async () => {
      shell.stdin.end();
      await closed;
    },
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
