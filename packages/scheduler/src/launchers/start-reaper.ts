import { spawn } from 'node:child_process';

/** Waits for the end of its standard input, which is ours to hold: until we end, however that may be. */
const script = `
read -r _
kill -s KILL -- "-$1" 2>/dev/null
rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
`;

/**
 * Watches over an agent from a process of its own: when this one dies, even by SIGKILL, the agent's whole process group
 * is killed and its folder with the run token deleted. An agent that hangs would never see that its own standard input
 * closed. Dispose of it when the agent has ended.
 */
export function startReaper(pid: number, folder: string): Disposable {
  const reaper = spawn('/bin/sh', ['-c', script, 'drydock-reaper', String(pid), folder], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // not hit by what is sent to our own group, such as Ctrl-C
  });
  reaper.on('error', () => undefined); // without it an agent still ends when its standard input closes
  reaper.stdin.on('error', () => undefined);
  return {
    [Symbol.dispose]: () => {
      reaper.kill('SIGKILL');
    },
  };
}
