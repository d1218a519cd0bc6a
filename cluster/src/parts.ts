import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './control-plane.ts';
import type { Layout } from './layout.ts';
import { clusterMark, identify, isAlive, type ProcessId } from './proc.ts';

/** A server of the cluster that runs on its own, whatever becomes of who started it. */
export interface Part {
  readonly name: string;
  readonly id: ProcessId;
  /** Throws, with the end of its log, once the part has ended. */
  expectAlive(): void;
}

/** `enter`: a command that is put before it, to start it inside the node. */
export function startPart(
  layout: Layout,
  name: string,
  { program, args, env = {} }: Command,
  enter: readonly string[] = [],
): Part {
  const logFile = join(layout.logs, `${name}.log`);
  const log = openSync(logFile, 'a', 0o600);
  try {
    const [command = program, ...rest] = [...enter, program, ...args];
    const child = spawn(command, rest, {
      detached: true,
      cwd: layout.folder,
      stdio: ['ignore', log, log],
      env: { ...partEnvironment(layout), ...env },
    });
    child.on('error', () => undefined); // pid is undefined then
    child.unref();
    const id = child.pid === undefined ? null : identify(child.pid);
    if (id === null) throw new Error(`${name} did not start: ${command} ${logEnd(logFile)}`);
    return {
      name,
      id,
      expectAlive() {
        if (!isAlive(id)) throw new Error(`${name} ended. The end of ${logFile}:\n${logEnd(logFile)}`);
      },
    };
  } finally {
    closeSync(log);
  }
}

/** Nothing of the starter's own environment, which may hold secrets. */
export function partEnvironment(layout: Layout): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: layout.folder,
    [clusterMark]: layout.folder,
  };
}

function logEnd(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
  } catch {
    return '(no log)';
  }
}
