import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { runIdOf, type TaskId } from '@drydock/core';

/** Kinds whose every version is kept; Secrets are not among them: they hold what nothing else may. */
const kinds = ['pods', 'jobs', 'events', 'configmaps', 'leases', 'deployments', 'replicasets', 'reviewpolicies'];
const maxBytes = 256 * 1024 * 1024;
const tryAgainMs = 300;
const mostTries = 200;

/** What the names of a task's Jobs and pods begin with. */
export function jobPrefix(taskId: TaskId): string {
  return `dd-${runIdOf(taskId, 1).replace(/-1$/, '-')}`;
}

/**
 * All that somebody sees who may look at everything but Secrets: each version of each object, and what containers of
 * agents say, also of those that are gone by now.
 */
export class ClusterRecord implements AsyncDisposable {
  readonly #kubectl: string;
  readonly #kubeconfig: string;
  readonly #children: ChildProcess[] = [];
  readonly #texts = new Map<string, string[]>();
  readonly #followed = new Set<string>();
  #bytes = 0;
  #isOver = false;

  constructor(kubectl: string, kubeconfig: string) {
    this.#kubectl = kubectl;
    this.#kubeconfig = kubeconfig;
    for (const kind of kinds) {
      this.#keep(kind, ['get', kind, '--all-namespaces', '--watch', '--output', 'json'], (text) => {
        if (kind === 'pods') this.#followAgents(text);
      });
    }
  }

  /** Everything that was seen, by where it was seen. */
  get texts(): ReadonlyMap<string, string> {
    return new Map([...this.#texts].map(([where, parts]) => [where, parts.join('')]));
  }

  /** Names of all pods that a task ever had, the first one first. */
  podsSeen(taskId: TaskId): readonly string[] {
    const prefix = jobPrefix(taskId);
    return [...this.#followed].filter((name) => name.startsWith(prefix));
  }

  /** What the agent in a pod has said. */
  logOf(pod: string): string {
    return (this.#texts.get(`log of ${pod}/agent`) ?? []).join('');
  }

  /** Where a text stands, in plain or in base64. */
  find(secret: string): readonly string[] {
    const forms = [secret, Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1)];
    return [...this.texts].filter(([, text]) => forms.some((form) => text.includes(form))).map(([where]) => where);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'close');
        child.kill('SIGKILL');
        await ended;
      }),
    );
  }

  /** The words of an agent go with its pod, which goes when its end is recorded. */
  #followAgents(text: string): void {
    for (const [, name] of text.matchAll(/"name": "(dd-[0-9a-f]{16}-\d+-[a-z0-9]{5})"/g)) {
      if (name === undefined || this.#followed.has(name)) continue;
      this.#followed.add(name);
      for (const container of ['preflight', 'agent']) {
        void this.#followLog(name, container);
      }
    }
  }

  /** Of a container that has not begun there is no log yet. */
  async #followLog(pod: string, container: string): Promise<void> {
    const args = ['logs', '--follow', '--namespace', 'drydock-tasks', pod, '--container', container];
    for (let tries = 0; tries < mostTries && !this.#isOver; tries += 1) {
      const child = this.#keep(`log of ${pod}/${container}`, args);
      await once(child, 'close').catch(() => undefined);
      if (child.exitCode === 0) return;
      await new Promise((resolve) => setTimeout(resolve, tryAgainMs));
    }
  }

  #keep(where: string, args: readonly string[], onText: (text: string) => void = () => undefined): ChildProcess {
    const child = spawn(this.#kubectl, ['--kubeconfig', this.#kubeconfig, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#children.push(child);
    const parts = this.#texts.get(where) ?? [];
    this.#texts.set(where, parts);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#bytes += text.length;
      if (this.#bytes <= maxBytes) parts.push(text);
      onText(text);
    });
    return child;
  }
}
