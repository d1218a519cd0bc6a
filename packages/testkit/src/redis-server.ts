import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const startLimitMs = 60_000;

/** A private redis-server on loopback with its own folder. */
export interface RedisServer {
  /** `redis://127.0.0.1:port`, with the password if one was set. The same over restarts. */
  readonly url: string;
  readonly port: number;
  /** Where its log is, and its AOF and RDB files unless it was given another place for them. */
  readonly folder: string;
  /** Of the process that runs now, or of the last one. */
  readonly pid: number;
  /** What it wrote to its log so far. */
  log(): Promise<string>;
  /** The file that its writes are appended to now; for tests that cut or damage it while the server is dead. */
  aofFile(): Promise<string>;
  /** Resolves when the process that runs now has ended, by itself or not. */
  readonly exited: Promise<unknown>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts again on the same port and folder, after a `kill` if it still runs; resolves when it answers. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Ends the process and removes its folder. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What differs from a plain server: AOF on with `everysec`, no RDB, `noeviction`. */
export interface RedisServerOptions {
  readonly password?: string;
  /** Lines of redis.conf by name, such as `{ maxmemory: '64mb' }`. They win over the defaults. */
  readonly config?: Readonly<Record<string, string>>;
  /** A folder of the caller's for AOF and RDB files, such as a small disk. */
  readonly dataFolder?: string;
}

/** Why tests that need Redis cannot run here; null: they can. */
export function whyNoRedisServer(): string | null {
  const found = spawnSync('redis-server', ['--version'], { stdio: 'ignore' });
  if (found.error === undefined && found.status === 0) return null;
  return 'redis-server is not installed (Debian: apt-get install redis-server)';
}

/** Starts a private redis-server; it ends with the test process at the latest. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-redis-'));
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const server = new PrivateRedisServer(folder, port, options);
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server.kill();
      // Between asking for a free port and using it somebody else may have taken it.
      if (attempt < 3 && (await server.log()).includes('Address already in use')) continue;
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }
}

class PrivateRedisServer implements RedisServer {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly #options: RedisServerOptions;
  #process: ChildProcess | null = null;
  #pid = 0;
  exited: Promise<unknown> = Promise.resolve();

  constructor(folder: string, port: number, options: RedisServerOptions) {
    this.folder = folder;
    this.port = port;
    this.#options = options;
    const credentials = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`;
    this.url = `redis://${credentials}127.0.0.1:${port}`;
    process.once('exit', this.#onExit);
  }

  get pid(): number {
    return this.#pid;
  }

  async log(): Promise<string> {
    return readFile(join(this.folder, 'redis.log'), 'utf8').catch(() => '');
  }

  async aofFile(): Promise<string> {
    const folder = this.#options.dataFolder ?? this.folder;
    // Redis 7 parts the AOF and lists the parts; before, it was one file.
    const manifest = await readFile(join(folder, 'appendonlydir', 'appendonly.aof.manifest'), 'utf8').catch(() => null);
    if (manifest === null) return join(folder, 'appendonly.aof');
    const names = [...manifest.matchAll(/^file (\S+) .*type i$/gm)].map(([, name = '']) => name);
    return join(folder, 'appendonlydir', names.at(-1) ?? '');
  }

  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, 'exit');
    running.kill('SIGKILL');
    await exited;
  }

  async restart(): Promise<void> {
    await this.kill();
    // A file and not arguments: a password in the arguments could be read by every user of the machine.
    const file = join(this.folder, 'redis.conf');
    await writeFile(file, this.#config(), { mode: 0o600 });
    const output = await open(join(this.folder, 'redis.log'), 'a');
    const started = spawn('redis-server', [file], { cwd: this.folder, stdio: ['ignore', output.fd, output.fd] });
    await output.close();
    this.#process = started;
    this.exited = new Promise((resolve) => started.once('close', resolve));
    this.#pid = started.pid ?? 0;
    const failures: Error[] = [];
    started.once('error', (error) => failures.push(error));
    const deadline = performance.now() + startLimitMs;
    while (!(await this.#answers())) {
      if (failures.length > 0) throw new Error('redis-server could not be started', { cause: failures[0] });
      if (started.exitCode !== null) throw new Error(`redis-server ended at its start:\n${await this.log()}`);
      if (performance.now() > deadline) throw new Error(`redis-server did not answer:\n${await this.log()}`);
      await sleep(10);
    }
  }

  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    process.removeListener('exit', this.#onExit);
    await rm(this.folder, { recursive: true, force: true });
  }

  readonly #onExit = (): void => {
    this.#process?.kill('SIGKILL');
  };

  #config(): string {
    const password = this.#options.password;
    const settings: Record<string, string> = {
      bind: '127.0.0.1',
      port: String(this.port),
      dir: this.#options.dataFolder ?? this.folder,
      daemonize: 'no',
      save: '""',
      appendonly: 'yes',
      appendfsync: 'everysec',
      'maxmemory-policy': 'noeviction',
      ...(password === undefined ? {} : { requirepass: JSON.stringify(password) }),
      ...this.#options.config,
    };
    return Object.entries(settings)
      .map(([name, value]) => `${name} ${value}\n`)
      .join('');
  }

  /** Whether it accepts commands: a server that still loads its AOF answers PING with LOADING. */
  #answers(): Promise<boolean> {
    const password = this.#options.password;
    const socket = connect(this.port, '127.0.0.1');
    socket.setTimeout(10_000);
    if (password !== undefined) {
      socket.write(`*2\r\n$4\r\nAUTH\r\n$${Buffer.byteLength(password)}\r\n${password}\r\n`);
    }
    socket.write('PING\r\n');
    return new Promise((resolve) => {
      let received = '';
      const end = (answers: boolean) => {
        socket.destroy();
        resolve(answers);
      };
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
        if (received.includes('+PONG')) end(true);
        else if (received.includes('-')) end(false);
      });
      socket.on('error', () => end(false));
      socket.on('timeout', () => end(false));
      socket.on('close', () => end(false));
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
