export type { CoreV1Event, V1Job, V1Pod, V1PodSpec, V1PodTemplateSpec, V1TokenReview } from '@kubernetes/client-node';
export { events, jobs, pods, tokenReviews } from './builtin-resources.ts';
export type {
  KubeContainerStatus,
  KubeEvent,
  KubeJob,
  KubeLease,
  KubePod,
  KubeTokenReview,
  LeaseManifest,
} from './builtin-resources.ts';
export { startElection } from './election.ts';
export type { Election, ElectionSettings, ElectionTiming, Term } from './election.ts';
export { createKubeClient } from './http-kube-client.ts';
export type { KubeClientSettings } from './http-kube-client.ts';
export { KubeAccessConfig, kubePlace } from './kube-config.ts';
export { loadKubeAccess } from './kube-access.ts';
export type { KubeAccess, KubeAccessSettings, KubeCredentials, KubeTls } from './kube-access.ts';
export type {
  CallLimits,
  CreateOutcome,
  DeleteCall,
  KubeClient,
  KubeList,
  ListQuery,
  ObjectPlace,
  PatchCall,
  WatchQuery,
  WriteOutcome,
} from './kube-client.ts';
export type { KubeMetrics } from './kube-metrics.ts';
export type { KubeStream, Lane } from './kube-transport.ts';
export { createKubeMetrics } from './prometheus-kube-metrics.ts';
export { defineResource, ObjectMetadata } from './resource.ts';
export type { KubeObject, Manifest, ManifestMetadata, Resource } from './resource.ts';
export type { Change } from './watch/held-objects.ts';
export { startWatch } from './watch/start-watch.ts';
export type { Watched, WatchSettings, WatchTiming } from './watch/start-watch.ts';
