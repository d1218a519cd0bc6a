import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../packages/cli/bin/drydock.js', import.meta.url));

/** A running `drydock`. */
export interface RunningDrydock {
  /** The exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves when either output holds this phrase; rejects when the process ends first. */
  says(phrase: string): Promise<void>;
  /** SIGTERM. */
  stop(): void;
}

/** Starts the command as a user would, with these variables and no others but PATH. */
export function startDrydock(args: readonly string[], environment: Record<string, string> = {}): RunningDrydock {
  const child = spawn(process.execPath, [bin, ...args], { env: { PATH: process.env['PATH'] ?? '', ...environment } });
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => {
      output[stream] += chunk.toString();
      for (const watcher of watchers) watcher();
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    ended,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    says: (phrase) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (output.stdout.includes(phrase) || output.stderr.includes(phrase)) resolve();
        };
        watchers.add(look);
        look();
        void ended.then((code) => {
          reject(new Error(`ended with ${String(code)} before it said "${phrase}":\n${output.stdout}${output.stderr}`));
        });
      }),
    stop: () => child.kill('SIGTERM'),
  };
}
