export { checkConfig, renderPolicy, type ConfigCheck, type ConfigSurroundings } from './check-config.ts';
export type { ConfigKind } from './misplaced-key.ts';
export { describeProblem, parsePolicy } from './parse-policy.ts';
export { parseRepositoryConfig, type ParsedRepositoryConfig } from './parse-repository-config.ts';
export type { YamlProblem } from './yaml-document.ts';
export {
  PolicyTrigger,
  ReviewPolicyObject,
  policyApiVersion,
  type PolicyPod,
  type PolicySpec,
} from './objects/review-policy-object.ts';
export { readPolicyObject, type PolicyClaim, type ReadPolicy } from './objects/read-policy-object.ts';
export { resolvePolicy, type PolicyResolution } from './objects/resolve-policy.ts';
export { findOverlaps, type PolicyOverlap } from './objects/find-overlaps.ts';
export { PolicyStatus, policyStatus, type PolicyCondition, type PolicyCounts } from './objects/policy-status.ts';
export type { PolicyProject } from './objects/project-pattern.ts';
export { quantityOf } from './objects/quantity.ts';
