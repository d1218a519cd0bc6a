import { spawn, type ChildProcess } from 'node:child_process';

/** A program of ours at work, as an installation would run it. */
export interface StartedProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it wrote so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves with the first line of its log that has this message; rejects when it ends before. */
  logged(message: string): Promise<Readonly<Record<string, unknown>>>;
  kill(signal: NodeJS.Signals): void;
  /** From now on nobody reads what it writes: its pipe fills up. */
  stopReading(): void;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/**
 * Starts a TypeScript file with the Node that runs the tests; its environment is what is given and nothing else.
 * Its output may go to an open file instead; then `stdout` and `logged` know nothing of it.
 */
export function startProcess(
  entry: string | URL,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  output: 'pipe' | number = 'pipe',
): StartedProcess {
  const file = entry instanceof URL ? entry.pathname : entry;
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...environment },
    stdio: ['ignore', output, 'pipe'],
  });
  return new ChildWithLog(child);
}

class ChildWithLog implements StartedProcess {
  readonly pid: number;
  readonly ended: StartedProcess['ended'];
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #onOutput = new Set<() => void>();
  #hasEnded = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#tell();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#hasEnded = true;
        resolve({ code, signal });
        this.#tell();
      });
    });
  }

  logged(message: string): Promise<Readonly<Record<string, unknown>>> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const line = this.stdout.split('\n').find((text) => text.includes(`"msg":${JSON.stringify(message)}`));
        if (line !== undefined) resolve(JSON.parse(line) as Record<string, unknown>);
        else if (this.#hasEnded) reject(new Error(`ended without "${message}":\n${this.stdout}\n${this.stderr}`));
        else return;
        this.#onOutput.delete(look);
      };
      this.#onOutput.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  stopReading(): void {
    this.#child.stdout?.pause();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.ended;
  }

  #tell(): void {
    for (const listener of this.#onOutput) listener();
  }
}
