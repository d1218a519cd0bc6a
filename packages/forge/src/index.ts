export { createForge, type ForgeSettings } from './create-forge.ts';
export type { GitLabForgeSettings } from './gitlab-forge.ts';
export { createLocalForge, type LocalForgeSettings } from './local-forge.ts';
export type {
  CommitStatus,
  Forge,
  ForgeMergeRequest,
  ForgeNote,
  ForgeThread,
  GitRemote,
  MergeRequestHead,
  ProxyAddresses,
  ThreadCreated,
  ThreadPlace,
} from './forge.ts';
export type { ForgeEvent, IgnoredWhy } from './forge-event.ts';
export { parseGitLabEvent } from './gitlab-webhook.ts';
export {
  deliverySecrets,
  refuseByProof,
  verifyDelivery,
  type DeliveryHeaders,
  type DeliverySecrets,
  type Verified,
} from './verify-delivery.ts';
export { toGitLabPosition, type GitLabPosition } from './gitlab-position.ts';
