import { GitLabApiError, type GitLabUser } from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';

const minuteMs = 60_000;

/** GitLab's limits in windows of one minute: all requests of a user, and the notes they write. */
export class RateLimits {
  readonly #windows = new Map<string, { startMs: number; count: number }>();

  /** Counts a request and gives the headers that tell how many are left; over the limit it throws a 429. */
  countRequest(world: GitLabWorld, user: GitLabUser | null): Record<string, string> {
    const limit = world.settings.requestsPerMinute;
    if (limit === null) return {};
    const { count, resetMs } = this.#count(world, `requests ${user?.id ?? 'anonymous'}`);
    const headers = {
      'RateLimit-Limit': String(limit),
      'RateLimit-Name': user === null ? 'throttle_unauthenticated_api' : 'throttle_authenticated_api',
      'RateLimit-Observed': String(count),
      'RateLimit-Remaining': String(Math.max(0, limit - count)),
      'RateLimit-Reset': String(Math.ceil(resetMs / 1000)),
    };
    if (count > limit) throw new GitLabApiError(429, 'Retry later\n', { ...headers, ...retryAfter(world, resetMs) });
    return headers;
  }

  /** Counts a note; over the limit it throws GitLab's 429. */
  countNote(world: GitLabWorld, user: GitLabUser): void {
    this.#countOf(world, `notes ${user.id}`, world.settings.notesPerMinute);
  }

  /** Counts a delivery that is to be sent again; over the limit it throws GitLab's 429. */
  countResend(world: GitLabWorld, user: GitLabUser, project: string): void {
    this.#countOf(world, `resends ${user.id} ${project}`, world.settings.resendsPerMinute);
  }

  #countOf(world: GitLabWorld, key: string, limit: number | null): void {
    if (limit === null) return;
    const { count, resetMs } = this.#count(world, key);
    if (count <= limit) return;
    const message = { error: 'This endpoint has been requested too many times. Try again later.' };
    throw new GitLabApiError(429, { message }, retryAfter(world, resetMs));
  }

  #count(world: GitLabWorld, key: string): { count: number; resetMs: number } {
    const nowMs = world.nowMs();
    const startMs = nowMs - (nowMs % minuteMs);
    const known = this.#windows.get(key);
    const window = known?.startMs === startMs ? known : { startMs, count: 0 };
    window.count++;
    this.#windows.set(key, window);
    return { count: window.count, resetMs: startMs + minuteMs };
  }
}

function retryAfter(world: GitLabWorld, resetMs: number): Record<string, string> {
  if (!world.settings.sendsRetryAfter) return {};
  return { 'Retry-After': String(Math.max(1, Math.ceil((resetMs - world.nowMs()) / 1000))) };
}
