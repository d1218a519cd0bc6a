import { readPolicyObject, type ReadPolicy } from '@drydock/policy';
import type { PolicyChange, PolicyObjects } from '../policies/object-policy-source.ts';

/** A policy object, read. */
export function aPolicy(name: string, spec: Readonly<Record<string, unknown>>, generation = 1): ReadPolicy {
  const metadata = { name, generation, creationTimestamp: '2026-01-01T00:00:00Z' };
  const policy = readPolicyObject({ apiVersion: 'drydock.dev/v1alpha1', kind: 'ReviewPolicy', metadata, spec });
  if (policy === null) throw new Error('no name');
  return policy;
}

/** Policies that a test changes by hand. */
export class HandPolicies implements PolicyObjects {
  readonly #held = new Map<string, ReadPolicy>();
  #listener: (change: PolicyChange) => void = () => undefined;

  list(): readonly ReadPolicy[] {
    return [...this.#held.values()];
  }

  onChange(listener: (change: PolicyChange) => void): () => void {
    this.#listener = listener;
    return () => undefined;
  }

  set(policy: ReadPolicy): void {
    const previous = this.#held.get(policy.name) ?? null;
    this.#held.set(policy.name, policy);
    this.#listener({ kind: 'set', value: policy, previous });
  }

  remove(policy: ReadPolicy): void {
    this.#held.delete(policy.name);
    this.#listener({ kind: 'gone', previous: policy });
  }
}
