/**
 * Git over HTTP, read only, as GitLab serves it: protocol 2, partial clones, any commit by its id.
 * @see https://git-scm.com/docs/http-protocol
 */
import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { authenticateGit } from './authenticate.ts';
import { runGit, startGit } from './git-process.ts';
import type { GitLabProject } from './gitlab-state.ts';
import type { GitLabWorld } from './gitlab-world.ts';
import { answerJson, type HttpAnswer } from './http-answer.ts';

interface GitHttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const gitPath = /^\/(.+?)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/;

/** Whether a path belongs to git. */
export function isGitPath(pathname: string): boolean {
  return gitPath.test(pathname);
}

/** Answers a git request. */
export async function serveGit(world: GitLabWorld, request: GitHttpRequest): Promise<HttpAnswer> {
  const { method, url, headers } = request;
  const [, encodedPath = '', endpoint = ''] = gitPath.exec(url.pathname) ?? [];
  const service = endpoint === 'info/refs' ? url.searchParams.get('service') : endpoint;
  const access = findReadable(world, headers, decodeURIComponent(encodedPath));
  if (access.kind === 'refused') return access.answer;
  if (service !== 'git-upload-pack') {
    world.violate(method, url.pathname, `git asked for ${service ?? 'the dumb protocol'}`);
    return answerJson(403, 'You are not allowed to push code to this project.\n');
  }
  const { dir } = access.project.repository;
  const protocol = headers['git-protocol'];
  const version = typeof protocol === 'string' && /^version=[12]$/.test(protocol) ? protocol : 'version=0';
  if (endpoint === 'info/refs') return await advertise(dir, version);
  if (method !== 'POST') return answerJson(405, 'Method Not Allowed\n');
  const input =
    headers['content-encoding'] === 'gzip' ? await unzip(request.body, world.settings.maxBodyBytes) : request.body;
  const child = startGit(dir, ['upload-pack', '--stateless-rpc', '.'], { GIT_PROTOCOL: version });
  child.stderr.resume();
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  child.stdout.on('close', () => child.kill());
  return { status: 200, headers: gitHeaders('application/x-git-upload-pack-result'), body: child.stdout };
}

const unzipAsync = promisify(gunzip);

async function unzip(body: Buffer, maxBytes: number): Promise<Buffer> {
  return await unzipAsync(body, { maxOutputLength: maxBytes });
}

type Access =
  | { readonly kind: 'granted'; readonly project: GitLabProject }
  | { readonly kind: 'refused'; readonly answer: HttpAnswer };

function findReadable(world: GitLabWorld, headers: IncomingHttpHeaders, path: string): Access {
  const denied =
    'HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect.\n';
  const challenge = answerJson(401, denied, { 'WWW-Authenticate': 'Basic realm="GitLab"' });
  const caller = authenticateGit(world, headers);
  if (caller === 'refused') return { kind: 'refused', answer: challenge };
  const user = caller?.user ?? null;
  const project = world.projects.find((candidate) => candidate.pathWithNamespace === path);
  if (project !== undefined && world.canReadCode(project, user)) return { kind: 'granted', project };
  if (user === null) return { kind: 'refused', answer: challenge };
  if (project !== undefined && world.canSee(project, user)) {
    return { kind: 'refused', answer: answerJson(403, 'You are not allowed to download code from this project.\n') };
  }
  const hidden = "The project you were looking for could not be found or you don't have permission to view it.\n";
  return { kind: 'refused', answer: answerJson(404, hidden) };
}

async function advertise(dir: string, version: string): Promise<HttpAnswer> {
  const args = ['upload-pack', '--stateless-rpc', '--advertise-refs', '.'];
  const refs = await runGit(dir, args, undefined, { GIT_PROTOCOL: version });
  const announcement = version === 'version=2' ? '' : '001e# service=git-upload-pack\n0000';
  const body = Buffer.concat([Buffer.from(announcement), refs]);
  return { status: 200, headers: gitHeaders('application/x-git-upload-pack-advertisement'), body };
}

function gitHeaders(type: string): Record<string, string> {
  return { 'Content-Type': type, 'Cache-Control': 'no-cache, max-age=0, must-revalidate' };
}
