/** A merge request on the fake GitLab, and our adapter to it. */
import { Secret, systemClock, type Placement } from '@drydock/core';
import { startFakeGitLab, type FakeGitLab, type FakeGitLabOptions } from '@drydock/testkit';
import { createForge, type ForgeSettings } from './create-forge.ts';

/** Ends never. */
export const signal = new AbortController().signal;
const proxy = { httpProxy: null, httpsProxy: null, noProxy: null };

/** The adapter, impatient. */
export function connect(gitlab: Pick<FakeGitLab, 'url' | 'token' | 'caPem'>, settings: Partial<ForgeSettings> = {}) {
  const forge = createForge({
    kind: 'gitlab',
    id: 'gitlab',
    baseUrl: gitlab.url,
    token: new Secret(gitlab.token),
    proxy,
    caPem: gitlab.caPem,
    clock: systemClock,
    timeouts: { connectMs: 2000, headersMs: 2000, idleMs: 2000, totalMs: 10_000 },
    ...settings,
  });
  return Object.assign(forge, { [Symbol.asyncDispose]: () => forge.close() });
}

/** A project with one merge request. */
export async function start(options: FakeGitLabOptions = {}) {
  const gitlab = await startFakeGitLab({ requestsPerMinute: null, notesPerMinute: null, ...options });
  const author = gitlab.createUser({ username: 'ada' });
  const project = await gitlab.createProject({ path: 'group/sub/service', files: { 'a.ts': 'one\ntwo\n' } });
  gitlab.setRole(project, author, 'maintainer');
  await gitlab.push(project, 'feature', { 'a.ts': 'one\nTWO\n', 'b & c=d.ts': 'new\n' }, { by: author, from: 'main' });
  const opened = await gitlab.openMergeRequest({
    project,
    sourceBranch: 'feature',
    title: 'Draft: A change',
    description: 'Why',
    author,
    labels: ['urgent'],
    reviewers: [gitlab.bot],
  });
  const ref = { forge: 'gitlab', projectId: String(project.id), iid: opened.iid };
  return { gitlab, author, project, ref, [Symbol.asyncDispose]: () => gitlab[Symbol.asyncDispose]() };
}

/** A place on an added line. */
export const inline = (path: string, line: number): Placement => {
  const point = { kind: 'added', oldLine: null, newLine: line, oldCounter: line, newCounter: line } as const;
  return { kind: 'inline', oldPath: path, newPath: path, side: 'new', start: point, end: point };
};

/** The refs of the merge request's version. */
export async function refsOf(
  forge: ReturnType<typeof connect>,
  world: { readonly ref: { forge: string; projectId: string; iid: number } },
) {
  const { diffRefs } = await forge.readHead(world.ref, signal);
  if (diffRefs === null) throw new Error('not prepared');
  return diffRefs;
}
