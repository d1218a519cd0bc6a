import type { IncomingHttpHeaders } from 'node:http';
import { GitLabApiError, unauthorized, type GitLabToken, type GitLabUser } from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';

/** Who calls, and with what right. */
export interface Caller {
  readonly user: GitLabUser;
  readonly token: GitLabToken;
}

/** The caller of an API request; null for nobody. A token that is wrong, revoked or expired throws a 401. */
export function authenticateApi(world: GitLabWorld, headers: IncomingHttpHeaders): Caller | null {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const privateToken = headers['private-token'];
  const value = (typeof privateToken === 'string' ? privateToken : undefined) ?? bearer;
  if (value === undefined) return null;
  const caller = findCaller(world, value);
  if (caller === null) throw unauthorized();
  if (caller.token.state === 'revoked') {
    throw tokenError('Token was revoked. You have to re-authorize from the user.');
  }
  if (caller.token.state === 'expired') {
    throw tokenError('Token is expired. You can either do re-authorization or token refresh.');
  }
  if (caller.user.state === 'blocked')
    throw new GitLabApiError(403, { message: '403 Forbidden - Your account has been blocked.' });
  return caller;
}

/** Reading takes `read_api` or `api`, anything else `api`. */
export function authorizeScope({ token }: Caller, method: string): void {
  const isReading = method === 'GET' || method === 'HEAD';
  if (token.scopes.includes('api') || (isReading && token.scopes.includes('read_api'))) return;
  throw new GitLabApiError(403, {
    error: 'insufficient_scope',
    error_description: 'The request requires higher privileges than provided by the access token.',
    scope: isReading ? 'api read_api' : 'api',
  });
}

/** The caller of a git request: the token is the password, the user name does not matter. */
export function authenticateGit(world: GitLabWorld, headers: IncomingHttpHeaders): Caller | 'refused' | null {
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  if (basic === undefined) return headers.authorization === undefined ? null : 'refused';
  const credentials = Buffer.from(basic, 'base64').toString('utf8');
  const caller = findCaller(world, credentials.slice(credentials.indexOf(':') + 1));
  if (caller === null || caller.token.state !== 'active' || caller.user.state !== 'active') return 'refused';
  const canRead = ['api', 'read_repository', 'write_repository'].some((scope) => caller.token.scopes.includes(scope));
  return canRead ? caller : 'refused';
}

function findCaller(world: GitLabWorld, value: string): Caller | null {
  const token = world.tokens.find((candidate) => candidate.value === value);
  return token === undefined ? null : { token, user: world.user(token.userId) };
}

function tokenError(description: string): GitLabApiError {
  return new GitLabApiError(401, { error: 'invalid_token', error_description: description });
}
