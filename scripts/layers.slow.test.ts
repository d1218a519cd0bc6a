import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { createFixtureTree } from './fixture-tree.ts';
import { root, runCommand } from './run-command.ts';

const packages = [
  'agent',
  'cli',
  'core',
  'forge',
  'gateway',
  'http',
  'policy',
  'queue',
  'scheduler',
  'server',
  'standalone',
  'testkit',
];
const vendors = [
  '@anthropic-ai/sdk',
  '@gitbeaker/rest',
  '@kubernetes/client-node',
  '@octokit/rest',
  'bullmq',
  'express',
  'ioredis',
  'pino',
  'undici',
  'zod',
];

const Report = z.object({
  summary: z.object({ violations: z.array(z.object({ from: z.string(), rule: z.object({ name: z.string() }) })) }),
});

/** Lays out files of one import each, and returns the rules that each file breaks. */
async function rulesBrokenBy(imports: Readonly<Record<string, string>>): Promise<Record<string, string[]>> {
  const files = Object.fromEntries(
    Object.entries(imports).map(([file, target]) => [
      file,
      `${target.startsWith('import ') ? target : `import '${target}';`}\n`,
    ]),
  );
  await using tree = await createFixtureTree(files, packages, vendors);
  const { output } = await runCommand(
    'depcruise',
    ['--config', join(root, '.dependency-cruiser.cjs'), '--output-type', 'json', '.'],
    { cwd: tree.folder },
  );
  const broken: Record<string, string[]> = {};
  for (const { from, rule } of Report.parse(JSON.parse(output)).summary.violations)
    (broken[from] ??= []).push(rule.name);
  return broken;
}

describe('the dependency rules', () => {
  it('let through what the house style allows', async () => {
    const broken = await rulesBrokenBy({
      'bench/ingest.ts': 'bullmq',
      'bench/overhead.ts': '@drydock/gateway',
      'cluster/start-cluster.ts': './src/parts.ts',
      'cluster/src/parts.ts': 'zod',
      'e2e/pods.test.ts': '../cluster/start-cluster.ts',
      'e2e/review.test.ts': '@drydock/testkit',
      'packages/agent/src/anthropic-model.ts': '@anthropic-ai/sdk',
      'packages/cli/src/commands/demo.ts': '@drydock/standalone',
      'packages/cli/src/commands/review.ts': '@drydock/standalone/review',
      'packages/standalone/src/review/index.ts': 'node:fs',
      'packages/core/src/hash.ts': 'node:crypto',
      'packages/core/src/log.ts': "import type { Logger } from 'pino';",
      'packages/core/src/schema.ts': 'zod',
      'packages/core/src/schema.test.ts': 'node:fs',
      'packages/forge/src/gitlab-forge.ts': '@gitbeaker/rest',
      'packages/forge/src/gitlab-forge.test.ts': '@drydock/testkit',
      'packages/http/src/requester.ts': 'undici',
      'packages/kube/src/watch.ts': '@kubernetes/client-node',
      'packages/queue/src/redis-task-queue.ts': 'ioredis',
      'packages/queue/src/task-queue.contract.ts': '@drydock/testkit',
      'packages/queue/src/faults/fault-stage.ts': '@drydock/testkit',
      'packages/queue/src/queue.redis.test.ts': './faults/fault-stage.ts',
      'packages/scheduler/src/testing/stage.ts': '../../../../cluster/start-cluster.ts',
      'packages/server/src/app.ts': '@drydock/queue',
      'packages/server/src/main.ts': 'ioredis',
      'packages/standalone/src/demo.ts': '@drydock/testkit',
      'packages/standalone/src/demo/scene.ts': '@drydock/testkit',
      'packages/standalone/src/run-standalone.ts': '@drydock/gateway',
      'packages/standalone/src/scripted-model.ts': '@drydock/testkit',
      'packages/testkit/src/fakes/fake-gitlab.ts': '@drydock/forge',
    });

    expect(broken).toEqual({});
  });

  it('forbid each direction that the house style forbids', async () => {
    const broken = await rulesBrokenBy({
      'packages/agent/src/a.ts': '@drydock/gateway',
      'packages/cli/src/a.ts': '@drydock/server',
      'packages/core/src/a.ts': '@drydock/queue',
      'packages/core/src/child.ts': 'node:child_process',
      'packages/core/src/express.ts': 'express',
      'packages/core/src/files.ts': 'node:fs/promises',
      'packages/core/src/log.ts': 'pino',
      'packages/core/src/one.ts': './two.ts',
      'packages/core/src/two.ts': './one.ts',
      'packages/forge/src/a.ts': '@drydock/gateway',
      'packages/forge/src/b.ts': '../../http/src/index.ts',
      'packages/gateway/src/a.ts': '@drydock/testkit',
      'packages/gateway/src/b.ts': '@drydock/nowhere',
      'packages/gateway/src/c.ts': '@drydock/policy/review',
      'packages/policy/src/review/index.ts': 'node:fs',
      'packages/queue/src/c.ts': '../../core/src/one.ts',
      'packages/queue/src/d.ts': '../../../scripts/tool.ts',
      'packages/queue/src/e.ts': './testing/world.ts',
      'packages/queue/src/testing/world.ts': '@drydock/core',
      'packages/scheduler/src/a.ts': '@drydock/standalone',
      'packages/server/src/a.ts': './main.ts',
      'packages/server/src/b.ts': './b.test.ts',
      'packages/server/src/b.test.ts': '@drydock/core',
      'packages/server/src/main.ts': '@drydock/core',
      'packages/standalone/src/a.ts': '@drydock/cli',
      'packages/standalone/src/b.ts': '@drydock/testkit',
      'packages/testkit/src/a.ts': '@drydock/server',
      'bench/a.ts': '../packages/queue/src/c.ts',
      'bench/b.ts': '../cluster/src/inside.ts',
      'cluster/src/inside.ts': '@drydock/core',
      'cluster/start-cluster.ts': 'node:fs',
      'packages/server/src/c.ts': '../../../cluster/start-cluster.ts',
      'scripts/tool.ts': 'node:fs',
    });

    expect(broken).toEqual({
      'packages/agent/src/a.ts': ['apps-not-each-other'],
      'packages/cli/src/a.ts': ['cli-only-standalone'],
      'packages/core/src/a.ts': ['core-alone'],
      'packages/core/src/child.ts': ['core-no-io'],
      'packages/core/src/express.ts': ['core-no-vendor'],
      'packages/core/src/files.ts': ['core-no-io'],
      'packages/core/src/log.ts': ['core-pino-types'],
      'packages/core/src/one.ts': ['no-cycles'],
      'packages/forge/src/a.ts': ['libraries-below-apps'],
      'packages/forge/src/b.ts': ['packages-by-name'],
      'packages/gateway/src/a.ts': ['testkit-only-in-tests'],
      'packages/gateway/src/b.ts': ['not-unresolvable'],
      'packages/gateway/src/c.ts': ['packages-by-index'],
      'packages/queue/src/c.ts': expect.arrayContaining(['packages-by-name', 'packages-by-index']),
      'packages/queue/src/d.ts': ['not-to-aside'],
      'packages/queue/src/e.ts': ['not-to-test-rooms'],
      'packages/scheduler/src/a.ts': ['apps-not-each-other'],
      'packages/server/src/a.ts': ['not-to-main'],
      'packages/server/src/b.ts': ['not-to-tests'],
      'packages/standalone/src/a.ts': ['standalone-not-cli'],
      'packages/standalone/src/b.ts': ['testkit-only-in-tests'],
      'packages/testkit/src/a.ts': ['libraries-below-apps'],
      'bench/a.ts': ['packages-by-name-from-aside'],
      'bench/b.ts': ['cluster-by-its-door'],
      'cluster/src/inside.ts': ['cluster-alone'],
      'packages/server/src/c.ts': ['cluster-only-in-tests'],
    });
  });

  it("keep each vendor's SDK in files named for the vendor", async () => {
    const broken = await rulesBrokenBy({
      'packages/agent/src/model.ts': '@anthropic-ai/sdk',
      'packages/forge/src/forge.ts': '@gitbeaker/rest',
      'packages/forge/src/pulls.ts': '@octokit/rest',
      'packages/gateway/src/fetch.ts': 'undici',
      'packages/queue/src/memory-task-queue.ts': 'ioredis',
      'packages/scheduler/src/build-job.ts': '@kubernetes/client-node',
      'packages/server/src/enqueue.ts': 'bullmq',
    });

    expect(broken).toEqual({
      'packages/agent/src/model.ts': ['vendor-anthropic'],
      'packages/forge/src/forge.ts': ['vendor-gitlab'],
      'packages/forge/src/pulls.ts': ['vendor-github'],
      'packages/gateway/src/fetch.ts': ['vendor-undici'],
      'packages/queue/src/memory-task-queue.ts': ['vendor-redis'],
      'packages/scheduler/src/build-job.ts': ['vendor-kubernetes'],
      'packages/server/src/enqueue.ts': ['vendor-bullmq'],
    });
  });
});
