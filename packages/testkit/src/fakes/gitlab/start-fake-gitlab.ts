import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '@drydock/core';
import { FakeGitLab } from './fake-gitlab.ts';
import { FaultList } from './fault-list.ts';
import { GitLabWorld, type GitLabSettings } from './gitlab-world.ts';
import { GitLabHttpServer } from './http-server.ts';
import { RateLimits } from './rate-limits.ts';
import { allRoutes } from './routes/all-routes.ts';
import { makeSelfSignedCertificate } from './self-signed-certificate.ts';
import { ApiServer } from './serve-api.ts';
import { WebhookSender } from './webhook-sender.ts';

/** How a fake GitLab is started; every setting has a default. */
export interface FakeGitLabOptions extends Partial<GitLabSettings> {
  readonly clock?: Clock;
  /** Serve HTTPS with a certificate that only `caPem` vouches for; needs openssl. */
  readonly tls?: boolean;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Do not throw at the end for what a client did wrong. */
  readonly allowViolations?: boolean;
  readonly webhookTimeoutMs?: number;
}

const defaultSettings: GitLabSettings = {
  version: '18.5.0',
  diffRefsDelayMs: 0,
  notesPerMinute: 60,
  requestsPerMinute: 2000,
  resendsPerMinute: 5,
  sendsRetryAfter: true,
  maxBodyBytes: 10 * 1024 * 1024,
  maxPatchBytes: 200 * 1024,
  draftsRefuseRangeLines: false,
};

/**
 * Starts a GitLab on loopback: REST v4, git over HTTP and webhooks, with a bot user and its token ready.
 * Use it with `await using`: at the end it throws when a client asked for what GitLab does not have.
 */
export async function startFakeGitLab(options: FakeGitLabOptions = {}): Promise<FakeGitLab> {
  const {
    clock = systemClock,
    tls = false,
    port = 0,
    allowViolations = false,
    webhookTimeoutMs = 10_000,
    ...given
  } = options;
  const settings: GitLabSettings = { ...defaultSettings, ...given };
  const sender = { version: settings.version, timeoutMs: webhookTimeoutMs, clock, nextUuid: () => randomUUID() };
  const world = new GitLabWorld(settings, clock, new WebhookSender(sender));
  const faults = new FaultList();
  const certificate = tls ? await makeSelfSignedCertificate() : null;
  const api = new ApiServer(world, allRoutes(settings.version), new RateLimits());
  const http = new GitLabHttpServer({ world, api, faults, certificate });
  const dir = await mkdtemp(join(tmpdir(), 'drydock-gitlab-'));
  world.url = await http.listen(port);
  const stop = async () => {
    await http.close();
    await world.webhooks.close();
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  return new FakeGitLab({ world, faults, http, dir, allowViolations, caPem: certificate?.certPem ?? null, stop });
}
