import { spawn } from 'node:child_process';
import stringWidth from 'string-width';

type Environment = Readonly<Record<string, string | undefined>>;

const defaultPager = 'less -FRX';
/** What a shell answers when there is no such command, or none that can be run. */
const notRun = new Set([126, 127]);

/** The command that shows long texts: the first that is set of `DRYDOCK_PAGER`, `PAGER` and less. Null: none is wanted. */
export function pagerCommand(environment: Environment): string | null {
  const command = environment['DRYDOCK_PAGER'] ?? environment['PAGER'] ?? defaultPager;
  return command.trim() === '' || command.trim() === 'cat' || environment['TERM'] === 'dumb' ? null : command;
}

/** Whether a text has more rows than the terminal; one row is left to the prompt. */
export function fillsTerminal(
  text: string,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): boolean {
  let used = 1;
  for (const line of text.split('\n')) {
    used += Math.max(1, Math.ceil(stringWidth(line) / Math.max(1, columns)));
    if (used > rows + 1) return true;
  }
  return false;
}

/**
 * Runs the pager on this process's own terminal, by the shell as git does, and ends when it ends: until then Ctrl-C is its
 * own. False: it could not be started, and has shown nothing. Credentials in the environment are not passed on.
 */
export async function showInPager(text: string, command: string, environment: Environment): Promise<boolean> {
  const child = spawn(command, {
    shell: true,
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { LESS: 'FRX', LV: '-c', ...withoutCredentials(environment) },
  });
  // A reader that quits has seen enough.
  child.stdin.on('error', () => undefined);
  child.stdin.end(text);
  return await new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === null || !notRun.has(code)));
  });
}

function withoutCredentials(environment: Environment): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/KEY|TOKEN|SECRET|PASSW|CREDENTIAL/i.test(name)),
  );
}
