export type { ForgeEvent, IgnoredWhy } from './forge-event.ts';
export { parseGitLabEvent } from './gitlab-webhook.ts';
export {
  deliverySecrets,
  verifyDelivery,
  type DeliveryHeaders,
  type DeliverySecrets,
  type Verified,
} from './verify-delivery.ts';
export { lineCode, toGitLabPosition, type GitLabPosition } from './gitlab-position.ts';
