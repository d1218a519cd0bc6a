import { readPolicyObject, type ReadPolicy } from '../read-policy-object.ts';

/** A `ReviewPolicy` object as the API server gives it. */
export function aPolicyObject(
  name: string,
  spec: Readonly<Record<string, unknown>>,
  metadata: Readonly<Record<string, unknown>> = {},
): object {
  return {
    apiVersion: 'drydock.dev/v1alpha1',
    kind: 'ReviewPolicy',
    metadata: { name, generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    spec,
  };
}

/** The same, read. */
export function aPolicy(
  name: string,
  spec: Readonly<Record<string, unknown>>,
  metadata: Readonly<Record<string, unknown>> = {},
): ReadPolicy {
  const policy = readPolicyObject(aPolicyObject(name, spec, metadata));
  if (policy === null) throw new Error('the object has no name');
  return policy;
}
