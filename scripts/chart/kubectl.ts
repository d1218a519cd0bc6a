import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { kubectlPath } from '../../cluster/start-cluster.ts';

const run = promisify(execFile);
const maxOutputBytes = 64 * 2 ** 20;

/** What kubectl said. */
export interface Answer {
  readonly stdout: string;
  /** Warnings of the API server, too. */
  readonly stderr: string;
}

/** Runs the kubectl that was built with the test cluster; `input` is its standard input. */
export async function kubectl(kubeconfig: string, args: readonly string[], input = ''): Promise<Answer> {
  const running = run(kubectlPath(), ['--kubeconfig', kubeconfig, ...args], { maxBuffer: maxOutputBytes });
  running.child.stdin?.end(input);
  return running;
}
