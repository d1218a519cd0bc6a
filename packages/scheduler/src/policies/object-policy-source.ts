import { unreachable, type Log } from '@drydock/core';
import { resolvePolicy, type PolicyProject, type ReadPolicy } from '@drydock/policy';
import { appliedPolicy } from './applied-policy.ts';
import type { AppliedPolicy, PolicyAnswer, PolicySource } from './policy-source.ts';

/** The policy objects as they are known now, and whoever is to be told when they change. */
export interface PolicyObjects {
  list(): readonly ReadPolicy[];
  onChange(listener: (change: PolicyChange) => void): () => void;
}

/** A policy that came, changed or went. */
export type PolicyChange =
  | { readonly kind: 'set'; readonly value: ReadPolicy; readonly previous: ReadPolicy | null }
  | { readonly kind: 'gone'; readonly previous: ReadPolicy };

/** Chooses among objects, anew for each decision. Without a matching one `fallback` applies. */
export class ObjectPolicySource implements PolicySource {
  readonly #objects: PolicyObjects;
  readonly #fallback: AppliedPolicy;
  readonly #log: Log;

  constructor(objects: PolicyObjects, fallback: AppliedPolicy, log: Log) {
    this.#objects = objects;
    this.#fallback = fallback;
    this.#log = log;
    objects.onChange((change) => this.#tell(change));
  }

  policyFor(project: PolicyProject): PolicyAnswer {
    const resolution = resolvePolicy(this.#objects.list(), project);
    switch (resolution.kind) {
      case 'default':
        return { kind: 'applies', policy: this.#fallback };
      case 'held':
        return { kind: 'held', name: resolution.policy.name };
      case 'object':
        return { kind: 'applies', policy: appliedPolicy(resolution.policy, this.#fallback.pod) };
      default:
        return unreachable(resolution);
    }
  }

  #tell(change: PolicyChange): void {
    if (change.kind === 'gone') {
      this.#log.info({ policy: change.previous.name }, 'policy is gone');
      return;
    }
    const { name, generation, kind } = change.value;
    if (change.previous?.generation === generation) return; // only its status changed
    if (kind === 'valid') this.#log.info({ policy: name, generation }, 'policy applies');
    else this.#log.error({ policy: name, generation }, 'policy is invalid: reviews of its projects are held back');
  }
}
