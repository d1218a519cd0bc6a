// What tests and benchmarks may use of the test cluster; all else below `src` is inside.
export { removeAbandoned, startCluster, stopCluster, type Cluster, type StartOptions } from './src/start-cluster.ts';
export { needsBuild, useCluster, whyNoCluster } from './src/use-cluster.ts';
export type { Level } from './src/levels.ts';
export type { ClusterNode, Forward, InsideListener } from './src/cluster-node.ts';
export { busyboxImage } from './src/images.ts';
export { pullBaseImage } from './src/pull-base-image.ts';
export { kubectlPath } from './src/build-programs.ts';
export { holdLock } from './src/hold-lock.ts';
export { bringProgram } from './src/bring-program.ts';
