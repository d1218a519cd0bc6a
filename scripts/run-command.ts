import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';

/** The checkout's own folder: every script here runs from it. */
export const root = join(import.meta.dirname, '..');

/** How a command ended. `exitCode` is null when it could not be started or a signal ended it. */
export interface CommandResult {
  readonly exitCode: number | null;
  /** Standard output and error as they came; empty when they went to the terminal. */
  readonly output: string;
}

/** Runs a tool of node_modules on Node 24. Its output is kept, or with `show` goes to the terminal as it comes. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { cwd = root, show = false }: { readonly cwd?: string; readonly show?: boolean } = {},
): Promise<CommandResult> {
  const path = [join(root, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter);
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, PATH: path },
    stdio: show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ exitCode: null, output: `${command}: ${error.message}\n` }));
    child.once('close', (exitCode) => resolve({ exitCode, output: Buffer.concat(chunks).toString('utf8') }));
  });
}
