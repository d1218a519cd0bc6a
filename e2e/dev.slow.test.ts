import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { scriptedReviewer, startFakeClaude, startFakeGitLab, type FakeGitLab } from '@drydock/testkit';
import { startDrydock, type RunningDrydock } from './run-drydock.ts';

const signingToken = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

const startDev = (environment: Record<string, string>) => startDrydock(['dev'], environment);

const outputOf = (dev: RunningDrydock) => dev.stdout() + dev.stderr();

describe('drydock dev', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'drydock-dev-'));
  });
  afterEach(async () => {
    await rm(dataDir, { recursive: true, force: true });
  });

  const settings = (gitlab: FakeGitLab, changes: Record<string, string> = {}): Record<string, string> => ({
    DRYDOCK_GITLAB_URL: gitlab.url,
    DRYDOCK_GITLAB_TOKEN: gitlab.token,
    DRYDOCK_WEBHOOK_SECRETS: signingToken,
    DRYDOCK_MARKER_KEYS: 'k'.repeat(32),
    DRYDOCK_MODEL_URL: 'http://127.0.0.1:9',
    DRYDOCK_SERVER_HOST: '127.0.0.1',
    DRYDOCK_SERVER_PORT: '0',
    DRYDOCK_DATA_DIR: dataDir,
    DRYDOCK_DEBOUNCE_MS: '0',
    ...changes,
  });

  it('reviews a merge request of a GitLab with a private certificate on its webhook, and stops cleanly', async () => {
    await using gitlab = await startFakeGitLab({ tls: true });
    await using claude = await startFakeClaude({ apiKey: 'model-key', script: scriptedReviewer() });
    const caFile = join(dataDir, 'ca.pem');
    await writeFile(caFile, gitlab.caPem ?? '');
    const author = gitlab.createUser({ username: 'ada' });
    const project = await gitlab.createProject({ path: 'shop/orders', files: { 'a.ts': 'export const a = 1;\n' } });
    await gitlab.push(project, 'more', { 'b.ts': 'for (let i = 0; i <= rows.length; i += 1) use(rows[i]);\n' });
    const dev = startDev(
      settings(gitlab, { DRYDOCK_MODEL_URL: claude.url, ANTHROPIC_API_KEY: 'model-key', DRYDOCK_CA_FILE: caFile }),
    );

    await dev.says('waiting for webhooks');
    const url = /"url":"(http:[^"]+\/webhooks\/gitlab)"/.exec(outputOf(dev))?.[1] ?? '';
    gitlab.addWebhook({ url, signingToken }, project);
    const { iid } = await gitlab.openMergeRequest({ project, sourceBranch: 'more', title: 'More', author });
    await dev.says('"outcome":"done"');
    dev.stop();

    expect(await dev.ended).toBe(0);
    expect(gitlab.discussions(iid).map(({ notes }) => notes[0]?.position?.new_line)).toEqual([1]);
    for (const secret of [gitlab.token, 'model-key', signingToken, 'k'.repeat(32)])
      expect(outputOf(dev)).not.toContain(secret);
  });

  it('says what to do about each mistake of a newcomer, and ends', async () => {
    await using gitlab = await startFakeGitLab({ allowViolations: true });
    await using secure = await startFakeGitLab({ tls: true });
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const takenPort = String((taken.address() as AddressInfo).port);
    const mistakes: [Record<string, string>, RegExp][] = [
      [settings(gitlab, { DRYDOCK_MODEL_URL: '' }), /ANTHROPIC_API_KEY[^]*DRYDOCK_MODEL_URL/],
      [settings(gitlab, { DRYDOCK_GITLAB_TOKEN: 'glpat-wrong-canary' }), /token/],
      [settings(gitlab, { DRYDOCK_GITLAB_URL: 'http://127.0.0.1:9' }), /127\.0\.0\.1:9|reach/],
      [settings(gitlab, { DRYDOCK_GITLAB_URL: 'http://no-such-host.invalid' }), /no-such-host\.invalid/],
      [settings(secure), /DRYDOCK_CA_FILE/],
      [settings(gitlab, { DRYDOCK_CA_FILE: '/no/such/file.pem' }), /\/no\/such\/file\.pem/],
      [settings(gitlab, { DRYDOCK_SERVER_PORT: takenPort }), /another program uses it[^]*DRYDOCK_SERVER_PORT/],
      [settings(gitlab, { DRYDOCK_REDIS_URL: 'redis://127.0.0.1:9' }), /127\.0\.0\.1:9/],
      [settings(gitlab, { DRYDOCK_WEBHOOK_SECRETS: 'short' }), /webhook token[^]*8 characters/],
      [settings(gitlab, { DRYDOCK_POLICY_FILE: '/no/such/policy.yaml' }), /\/no\/such\/policy\.yaml/],
    ];

    for (const [environment, expected] of mistakes) {
      const dev = startDev(environment);
      const code = await dev.ended;

      expect({ code: code === 1 || code === 78, output: outputOf(dev) }).toEqual({
        code: true,
        output: expect.stringMatching(expected),
      });
      expect(outputOf(dev)).not.toMatch(/canary|\n {4}at /); // no secret, no stack trace
    }
    taken.close();
  });
});
