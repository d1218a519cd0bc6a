import { isIP } from 'node:net';
import { TextList } from '@drydock/core';
import { KubeAccessConfig } from '@drydock/kube';
import { z } from 'zod';

const seconds = (least: number, usual: number) => z.coerce.number().int().min(least).default(usual);
const Quantity = z.string().regex(/^\d+(\.\d+)?(m|[kMGTPE]|[KMGTPE]i)?$/, 'an amount such as 500m, 2 or 1Gi');
/** A name that may stand in a label. */
const LabelText = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'letters, digits, "-" and "."');

/** What the preflight can try; a name that resolves to nothing would prove nothing. `$(…)` is filled in by the kubelet. */
const TargetList = TextList.pipe(
  z.array(
    z.string().refine((text) => {
      const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|(.+)):(\d{1,5})$/.exec(text) ?? [];
      return (
        /^\$\(\w+\)$/.test(plain) || (isIP(bracketed ?? plain) !== 0 && Number(port) >= 1 && Number(port) <= 65_535)
      );
    }, 'addresses with ports, such as 10.96.0.1:443 or [fd00::1]:443, and no names'),
  ),
);

/** Settings of the Kubernetes launcher. */
export const KubeConfig = z.object({
  launcher: z
    .enum(['local', 'kube'])
    .default('local')
    .describe('Where agents run: as child processes of this machine, which is no isolation, or as Jobs of a cluster'),
  ...KubeAccessConfig.shape,
  kubeNamespace: LabelText.default('drydock-tasks').describe('Namespace of the Jobs'),
  kubeControlNamespace: LabelText.default('drydock').describe(
    'Namespace of the Lease that elects who sweeps and reaps',
  ),
  policyObjects: z
    .stringbool()
    .default(false)
    .describe(
      'Whether ReviewPolicy objects of the control namespace are applied, beside the policy file; their CRD must be there',
    ),
  kubeInstance: LabelText.default('drydock').describe(
    'Names this installation: two in one namespace do not see each other’s Jobs',
  ),
  kubeQps: z.coerce.number().positive().default(20).describe('Calls of the API server in a second'),
  kubeBurst: z.coerce.number().int().positive().default(40).describe('Calls of the API server at once'),
  agentImage: z.string().min(1).optional().describe('Image of the agent, for the Kubernetes launcher'),
  preflightImage: z.string().min(1).optional().describe('Image of the preflight, for the Kubernetes launcher'),
  imagePullPolicy: z
    .enum(['Always', 'IfNotPresent', 'Never'])
    .default('IfNotPresent')
    .describe('When images are pulled'),
  imagePullSecrets: TextList.prefault('').describe(
    'Secrets of that namespace to pull images with, separated by commas',
  ),
  agentServiceAccount: LabelText.default('drydock-agent').describe('Service account of agents; it may do nothing'),
  agentGatewayUrl: z
    .url({ protocol: /^http$/, error: 'an http URL' })
    .default('http://gateway.drydock.internal:8081')
    .describe('Where agents find the gateway, by a name that only they know'),
  agentGatewayIp: z
    .union([z.ipv4(), z.ipv6()])
    .optional()
    .describe('Address that this name stands for: the ClusterIP of the gateway’s Service'),
  preflightHard: TargetList.prefault('').describe(
    'Addresses with ports that no agent may reach, separated by commas: each pod tries them first and refuses to begin if one answers',
  ),
  preflightPosture: TargetList.prefault('$(DRYDOCK_HOST_IP):10250').describe(
    'Addresses that each pod tries and only tells about; $(DRYDOCK_HOST_IP) is its node',
  ),
  podCpu: Quantity.default('1').describe('CPU of an agent'),
  podMemory: Quantity.default('1Gi').describe('Memory of an agent'),
  podEphemeralStorage: Quantity.default('2Gi').describe('Disk of an agent'),
  podWorkSize: Quantity.default('1536Mi').describe('How large the folder may grow that an agent works in'),
  podMemoryAfterOom: Quantity.optional().describe('Memory of one more attempt after an agent ran out of it'),
  podRuntimeClass: z.string().max(253).optional().describe('Runtime class of agents, such as gvisor'),
  podPriorityClass: z
    .string()
    .max(253)
    .optional()
    .describe('Priority class of agents: a low one, so that they give way to everything else'),
  podHostUsers: z.stringbool().default(true).describe('False: agents get user namespaces'),
  startAllowanceSeconds: seconds(10, 300).describe('How long a pod may take until its agent works'),
  pendingLimitSeconds: seconds(5, 300).describe('How long a pod may wait for a node; then its task waits instead'),
  pullGraceSeconds: seconds(5, 60).describe('How long an image may fail to be pulled, or admission refuse a pod'),
  podGraceSeconds: seconds(1, 20).describe('Time between asking an agent’s pod to end and killing it'),
  fenceSeconds: seconds(1, 10).describe('After so much longer a pod that does not go is taken away by force'),
  keepJobSeconds: seconds(60, 600).describe('How long Kubernetes keeps a finished Job that nobody deleted'),
  reapEverySeconds: seconds(1, 60).describe('How often to look for Jobs that nobody needs'),
  reapAgeSeconds: seconds(1, 120).describe('No Job younger than this is taken for one that nobody needs'),
  orphanAgeSeconds: seconds(60, 7200).describe('A Job of a task that nobody works on is ended after this'),
  keepFinishedJobs: z.coerce.number().int().min(0).default(200).describe('Finished Jobs kept at most'),
});
export type KubeConfig = z.infer<typeof KubeConfig>;
