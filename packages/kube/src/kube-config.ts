import { z } from 'zod';
import type { KubeAccessSettings } from './kube-access.ts';

/** Settings of every process that asks a Kubernetes API. */
export const KubeAccessConfig = z.object({
  kubeconfig: z
    .string()
    .optional()
    .meta({ env: 'KUBECONFIG' })
    .describe('Kubeconfig file, for a process that runs outside of the cluster'),
  kubeHost: z
    .string()
    .optional()
    .meta({ env: 'KUBERNETES_SERVICE_HOST' })
    .describe('Address of the API server; Kubernetes sets it in every pod'),
  kubePort: z
    .string()
    .default('443')
    .meta({ env: 'KUBERNETES_SERVICE_PORT' })
    .describe('Port of the API server; Kubernetes sets it in every pod'),
});
export type KubeAccessConfig = z.infer<typeof KubeAccessConfig>;

/** Where these settings say the API server is. */
export function kubePlace({
  kubeconfig,
  kubeHost,
  kubePort,
}: KubeAccessConfig): Pick<KubeAccessSettings, 'kubeconfigFile' | 'service'> {
  return {
    kubeconfigFile: kubeconfig ?? null,
    service: kubeHost === undefined ? null : { host: kubeHost, port: kubePort },
  };
}
