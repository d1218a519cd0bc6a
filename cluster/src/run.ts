import { spawn } from 'node:child_process';

/** How a program that ran to its end ended. */
export interface Ran {
  readonly exitCode: number | null;
  /** Standard output; what went beyond the cap is left out. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
}

const maxOutputBytes = 16 * 1024 * 1024;

/** Runs a program without a shell and waits for it; one that fails is no error here. */
export async function run(
  command: string,
  args: readonly string[],
  { signal, cwd, env, input, timeoutMs = 120_000 }: RunOptions = {},
): Promise<Ran> {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { exitCode, stdout: stdout(), stderr: stderr() };
}

/** The same for programs that must not fail; returns what they wrote to standard output. */
export async function runOk(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await run(command, args, options);
  if (exitCode !== 0) {
    const ended = exitCode === null ? 'was killed or timed out' : `ended with ${exitCode}`;
    throw new Error(`${command} ${args.slice(0, 3).join(' ')} ${ended}: ${stderr.trim().slice(-2000)}`);
  }
  return stdout;
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxOutputBytes) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
