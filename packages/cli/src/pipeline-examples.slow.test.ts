/** The pipelines of docs/examples: their keys as the forges document them, their scripts on checkouts as runners make them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { exitCodes } from './exit-codes.ts';

const bin = new URL('../bin/drydock.js', import.meta.url).pathname;
const example = (name: string) => new URL(`../../../docs/examples/${name}`, import.meta.url);

/** Every key that the job uses. @see https://docs.gitlab.com/ci/yaml/ */
const GitLabJob = z.strictObject({
  stage: z.enum(['.pre', 'build', 'test', 'deploy', '.post']),
  needs: z.array(z.string()),
  image: z.literal('node:24'),
  rules: z.array(z.strictObject({ if: z.string() })).min(1),
  variables: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()),
  before_script: z.array(z.string()).min(1),
  script: z.array(z.string()).min(1),
  artifacts: z.strictObject({
    when: z.enum(['on_success', 'on_failure', 'always']),
    expire_in: z.string().regex(/^\d+ (?:days?|weeks?)$/),
    paths: z.array(z.string()),
    reports: z.strictObject({ codequality: z.string() }),
  }),
  allow_failure: z.strictObject({ exit_codes: z.array(z.int()) }),
  interruptible: z.boolean(),
  timeout: z.string().regex(/^\d+ minutes$/),
});

/** Every key that the workflow uses. @see https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax */
const GitHubStep = z.strictObject({
  name: z.string().optional(),
  uses: z
    .string()
    .regex(/^[\w-]+\/[\w/-]+@v\d+$/)
    .optional(),
  with: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  env: z.record(z.string(), z.string()).optional(),
  if: z.string().optional(),
  run: z.string().optional(),
});
const GitHubWorkflow = z.strictObject({
  name: z.string(),
  on: z.literal('pull_request'),
  permissions: z.strictObject({ contents: z.literal('read'), 'security-events': z.literal('write') }),
  concurrency: z.strictObject({ group: z.string(), 'cancel-in-progress': z.boolean() }),
  jobs: z.strictObject({
    review: z.strictObject({
      if: z.string(),
      'runs-on': z.literal('ubuntu-latest'),
      'timeout-minutes': z.int(),
      steps: z.array(GitHubStep),
    }),
  }),
});

const CodeQuality = z.array(
  z.looseObject({
    fingerprint: z.string(),
    severity: z.enum(['info', 'minor', 'major', 'critical', 'blocker']),
    location: z.looseObject({ path: z.string(), lines: z.looseObject({ begin: z.int() }) }),
  }),
);
const Sarif = z.looseObject({
  runs: z.array(
    z.looseObject({
      results: z.array(
        z.looseObject({
          locations: z.array(
            z.looseObject({
              physicalLocation: z.looseObject({ artifactLocation: z.looseObject({ uri: z.string() }) }),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** Never by a name that nobody has published: whoever takes it gets the key. */
const installLine = 'npm install --global "${DRYDOCK_PACKAGE:?is not set}"';

const loop = (bound: string) =>
  `export function sum(list) {\n  for (let i = 0; i ${bound} list.length; i++) add(list[i]);\n}\n`;

let folder: string;
let shims: string;
const shas = { base: '', target: '', head: '', merge: '' };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-pipelines-'));
  shims = join(folder, 'shims');
  await mkdir(shims);
  await writeFile(join(shims, 'drydock'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`);
  await chmod(join(shims, 'drydock'), 0o755);
  await makeProject(join(folder, 'work'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A branch with one bug, a target that went on with another, and the merge of both as a forge makes it. */
async function makeProject(work: string): Promise<void> {
  const commit = async (path: string, text: string) => {
    await mkdir(dirname(join(work, path)), { recursive: true });
    await writeFile(join(work, path), text);
    await git(work, 'add', '.');
    await git(work, 'commit', '-qm', `Change ${path}`);
    return git(work, 'rev-parse', 'HEAD');
  };
  await git(folder, 'init', '-q', '-b', 'main', work);
  shas.base = await commit('src/sum.js', loop('<'));
  await git(work, 'checkout', '-qb', 'feature');
  shas.head = await commit('src/sum.js', loop('<='));
  await git(work, 'checkout', '-q', 'main');
  for (let count = 0; count < 30; count += 1) shas.target = await commit('src/other.js', loop('<=').repeat(count + 1));
  await git(work, 'checkout', '-qb', 'merged');
  await git(work, 'merge', '-q', '--no-ff', '-m', 'Merge', 'feature');
  shas.merge = await git(work, 'rev-parse', 'HEAD');
}

async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'protocol.file.allow=always'];
  const { code, stdout, stderr } = await run('git', [...identity, ...args], cwd, {});
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

async function run(command: string, args: readonly string[], cwd: string, environment: Record<string, string>) {
  const path = `${shims}:${process.env['PATH'] ?? ''}`;
  const child = spawn(command, [...args], {
    cwd,
    env: { PATH: path, HOME: folder, TMPDIR: folder, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** A checkout as runners make it: only what is asked for is fetched, and no branch is checked out. */
async function checkOut(sha: string, depth: string): Promise<string> {
  const checkout = await mkdtemp(join(folder, 'checkout-'));
  await git(checkout, 'init', '-q');
  await git(checkout, 'remote', 'add', 'origin', `file://${join(folder, 'work')}`);
  const limit = depth === '0' ? [] : [`--depth=${depth}`];
  await git(checkout, 'fetch', '-q', ...limit, 'origin', `+${sha}:refs/pipelines/1`);
  await git(checkout, 'checkout', '-q', '--detach', sha);
  return checkout;
}

function mapped(values: Readonly<Record<string, string>>, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)] as const));
}

describe('docs/examples/gitlab-ci.yml', () => {
  async function job() {
    const file = z.strictObject({ 'drydock-review': GitLabJob });
    return file.parse(parse(await readFile(example('gitlab-ci.yml'), 'utf8')))['drydock-review'];
  }

  async function runJob(sha: string, extra: Record<string, string> = {}, depth?: string) {
    const { variables, script } = await job();
    const predefined: Record<string, string> = {
      ...{ CI: 'true', GITLAB_CI: 'true', CI_PIPELINE_SOURCE: 'merge_request_event', CI_COMMIT_SHA: sha },
      ...{ CI_MERGE_REQUEST_DIFF_BASE_SHA: shas.base, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: '' },
      ...extra,
    };
    const expanded = mapped(variables, (value) =>
      value.replace(/\$(\w+)/g, (_, inner: string) => predefined[inner] ?? ''),
    );
    const environment = { ...expanded, DRYDOCK_MODEL: 'scripted', ...predefined };
    const checkout = await checkOut(sha, depth ?? variables['GIT_DEPTH'] ?? '20');
    const ended = await run('sh', ['-e', '-c', script.join('\n')], checkout, environment);
    const report = await readFile(join(checkout, 'gl-code-quality-report.json'), 'utf8').catch(() => null);
    return { ...ended, places: report === null ? null : placesIn(report) };
  }
  const placesIn = (report: string) =>
    CodeQuality.parse(JSON.parse(report)).map(({ location }) => `${location.path}:${String(location.lines.begin)}`);

  it('uses only keys that GitLab has, and skips pipelines without a key or from forks', async () => {
    const { rules, artifacts, allow_failure: allowed, before_script: before } = await job();

    expect(before).toEqual([installLine]);
    expect(artifacts.paths).toEqual([artifacts.reports.codequality]);
    expect(allowed.exit_codes).toEqual([3, 4]);
    expect(rules).toHaveLength(1);
    expect(rules[0]?.if).toMatch(
      /"merge_request_event" && .*SOURCE_PROJECT_ID == \$CI_PROJECT_ID && \(\$ANTHROPIC_API_KEY/,
    );
  });

  it('reports the change of the branch, in the file and in the log', async () => {
    const { code, stdout, places } = await runJob(shas.head);

    expect({ code, places }).toEqual({ code: exitCodes.ok, places: ['src/sum.js:2'] });
    expect(stdout).toContain('src/sum.js:2');
    expect(stdout).not.toContain('src/other.js');
  });

  it('reviews the branch alone where a merged result was checked out', async () => {
    const { code, places } = await runJob(shas.merge, { CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: shas.head });

    expect({ code, places }).toEqual({ code: exitCodes.ok, places: ['src/sum.js:2'] });
  });

  it('fails where the team wants it to, with the report in place', async () => {
    expect(await runJob(shas.head, { DRYDOCK_FAIL_ON: 'high' })).toMatchObject({ code: 1, places: ['src/sum.js:2'] });
    expect(await runJob(shas.head, { DRYDOCK_FAIL_ON: 'critical' })).toMatchObject({ code: 0 });
  });

  it('ends with an exit code that is allowed to fail when it cannot review', async () => {
    const { code, stderr, places } = await runJob(shas.head, {}, '1');

    expect({ code, places }).toEqual({ code: 3, places: null });
    expect(stderr).toContain('GIT_DEPTH: 0');
  });
});

describe('docs/examples/github-workflow.yml', () => {
  async function steps() {
    const workflow = GitHubWorkflow.parse(parse(await readFile(example('github-workflow.yml'), 'utf8')));
    return workflow.jobs.review.steps;
  }

  async function runReview(given: Record<string, string>) {
    const step = (await steps()).find(({ name }) => name === 'Review');
    const contexts: Record<string, string> = { 'github.event.pull_request.base.sha': shas.target, ...given };
    const environment = mapped(step?.env ?? {}, (value) =>
      value.replace(/\$\{\{ ([\w.]+) \}\}/g, (_, inner: string) => contexts[inner] ?? ''),
    );
    const checkout = await checkOut(shas.head, '0');
    await git(checkout, 'fetch', '-q', 'origin', '+refs/heads/*:refs/remotes/origin/*'); // as fetch-depth: 0 does
    const all = { CI: 'true', GITHUB_ACTIONS: 'true', ...environment };
    const ended = await run('sh', ['-e', '-c', step?.run ?? 'exit 99'], checkout, all);
    const report = await readFile(join(checkout, 'drydock.sarif'), 'utf8').catch(() => null);
    const results = report === null ? null : (Sarif.parse(JSON.parse(report)).runs[0]?.results ?? []);
    const uris = results?.map(({ locations }) => locations[0]?.physicalLocation.artifactLocation.uri) ?? null;
    return { ...ended, uris };
  }

  it('uses only keys that GitHub has, and asks for no right that it does not need', async () => {
    const [checkout, , install, review, upload, ...others] = await steps();

    expect(others).toEqual([]);
    expect(checkout?.with).toMatchObject({ 'fetch-depth': 0, 'persist-credentials': false });
    expect(install?.run).toBe(installLine);
    expect(install?.env).toEqual({ DRYDOCK_PACKAGE: '${{ vars.DRYDOCK_PACKAGE }}' });
    expect(review?.env).toMatchObject({ ANTHROPIC_API_KEY: '${{ secrets.ANTHROPIC_API_KEY }}' });
    expect(review?.run).not.toContain('${{'); // a title or a branch name in a script would be run
    expect(upload?.uses).toMatch(/^github\/codeql-action\/upload-sarif@v\d+$/);
    expect(upload?.with).toMatchObject({ sarif_file: 'drydock.sarif' });
  });

  it('writes SARIF of the change, and the review into the log', async () => {
    const { code, stdout, uris } = await runReview({ 'vars.DRYDOCK_MODEL': 'scripted' });

    expect({ code, uris }).toEqual({ code: exitCodes.ok, uris: ['src/sum.js'] });
    expect(stdout).toContain('src/sum.js:2');
  });

  it('says in a notice that there is no key, and leaves nothing to upload', async () => {
    const { code, stdout, uris } = await runReview({});

    expect({ code, uris }).toEqual({ code: exitCodes.ok, uris: null });
    expect(stdout).toMatch(/^::notice::/);
  });
});
