import { quantityOf } from '@drydock/policy';
import { z } from 'zod';

/** An amount as Kubernetes writes it: `500m`, `2`, `1Gi`. */
const Quantity = z.string().regex(/^\d+(\.\d+)?(m|[kMGTPE]|[KMGTPE]i)?$/, 'an amount such as 500m, 2 or 1Gi');

const Toleration = z.strictObject({
  key: z.string().max(317).optional(),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: z.string().max(63).optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.int().min(0).optional(),
});

/** What a policy may choose of an agent's pod. Everything else of it is the same for all, and no policy can change it. */
export const PodSettings = z.strictObject({
  cpu: Quantity.default('1').describe('CPU of an agent: both its request and its limit'),
  memory: Quantity.default('1Gi').describe('Memory of an agent: both its request and its limit'),
  ephemeralStorage: Quantity.default('2Gi').describe('Disk of an agent: both its request and its limit'),
  workSize: Quantity.default('1536Mi').describe('How large the folder may grow that an agent works in'),
  memoryAfterOom: Quantity.nullable()
    .default(null)
    .describe('Memory of one more attempt after an agent ran out of it; null: there is none'),
  runtimeClassName: z
    .string()
    .max(253)
    .nullable()
    .default(null)
    .describe('Runtime class, such as gvisor; null: that of the cluster'),
  hostUsers: z.boolean().default(true).describe('False: user namespaces, so that who breaks out is nobody on the node'),
  nodeSelector: z.record(z.string(), z.string()).default({}).describe('Labels of the nodes that agents run on'),
  tolerations: z.array(Toleration).max(20).default([]).describe('Taints of nodes that agents may run on'),
  priorityClassName: z.string().max(253).nullable().default(null).describe('Priority class of agents; null: none'),
});
export type PodSettings = z.infer<typeof PodSettings>;

/** The pod of one more attempt after an agent ran out of memory; null: it would get no more than it had. */
export function podAfterOom(pod: PodSettings): PodSettings | null {
  const { memory, memoryAfterOom } = pod;
  if (memoryAfterOom === null || !(quantityOf(memoryAfterOom) > quantityOf(memory))) return null;
  return { ...pod, memory: memoryAfterOom };
}
