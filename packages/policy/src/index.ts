export { checkConfig, renderPolicy, type ConfigCheck, type ConfigSurroundings } from './check-config.ts';
export type { ConfigKind } from './misplaced-key.ts';
export { describeProblem, parsePolicy } from './parse-policy.ts';
export { parseRepositoryConfig, type ParsedRepositoryConfig } from './parse-repository-config.ts';
export type { YamlProblem } from './yaml-document.ts';
