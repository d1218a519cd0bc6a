import { z } from 'zod';

/** What we write of an object's metadata; the server fills in the rest. */
export interface ManifestMetadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** With `replace`: what the manifest was made from. */
  readonly resourceVersion?: string;
}

/** What any object that is sent has; client-node's types (`V1Job`, …) fit. */
export interface Manifest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ManifestMetadata;
}

/** Metadata as it is read back. Times are RFC 3339 texts, as on the wire: client-node's types say `Date`. */
export const ObjectMetadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.int().optional(),
  creationTimestamp: z.string(),
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.int().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  finalizers: z.array(z.string()).default([]),
  ownerReferences: z
    .array(z.object({ kind: z.string(), name: z.string(), uid: z.string(), controller: z.boolean().optional() }))
    .default([]),
});
/** Metadata as it is read back. */
export type ObjectMetadata = z.infer<typeof ObjectMetadata>;

/** What any object that is read has. */
export interface KubeObject {
  readonly metadata: ObjectMetadata;
}

/**
 * One kind of object: where it is served and how what we read of it is parsed. `M` is what is sent, `T` what is read.
 * A custom resource is one more of these, made by `defineResource`.
 */
export interface Resource<T extends KubeObject, M extends Manifest = Manifest> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
  parse(raw: unknown): T;
  /** Never set; it ties the resource to its manifests. */
  readonly manifest?: M;
}

/** Describes a kind of object. `schema` names what is read of it and drops the rest. */
export function defineResource<T extends KubeObject, M extends Manifest = Manifest>(facts: {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
  readonly schema: z.ZodType<T>;
}): Resource<T, M> {
  const { schema, ...rest } = facts;
  return { ...rest, parse: (raw) => schema.parse(raw) };
}

/** `batch/v1`, or `v1` of the core group. */
export function apiVersionOf({ group, version }: { readonly group: string; readonly version: string }): string {
  return group === '' ? version : `${group}/${version}`;
}
