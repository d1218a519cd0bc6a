import {
  BlockedError,
  DrydockError,
  TerminalError,
  type Clock,
  type MergeRequest,
  type MergeRequestRef,
  type Secret,
} from '@drydock/core';
import { createForge } from '@drydock/forge';
import type { ReviewEnd, ReviewForge, ReviewPorts, ReviewSettings } from './review-settings.ts';

import { readMergeRequestUrl } from './merge-request-url.ts';
import { startReviewStage, type ReviewStage } from './review-stage.ts';

type MergeRequestSettings = ReviewSettings & {
  readonly subject: { readonly kind: 'merge-request'; readonly url: string };
};

/** Reviews a merge request as it is now, and posts the review if the caller wants that. */
export async function reviewMergeRequest(settings: MergeRequestSettings, ports: ReviewPorts): Promise<ReviewEnd> {
  const { forge, subject } = settings;
  const read = readMergeRequestUrl(subject.url, forge.baseUrl);
  if (read.kind === 'refused') return read;
  const { token } = forge;
  if (token === null) {
    return {
      kind: 'bad-config',
      why: `DRYDOCK_GITLAB_TOKEN is not set: a token for ${forge.baseUrl}, with the scope api (read_api and read_repository for --dry-run)`,
    };
  }
  if (ports.mayPost !== null && settings.markerKeys.length === 0) {
    return {
      kind: 'bad-config',
      why: 'DRYDOCK_MARKER_KEYS is not set: it signs comments, so that none is posted twice. Use the key of your installation, or make one with "openssl rand -hex 32" and keep it',
    };
  }
  try {
    const projectId = await findProject(
      { ...forge, token },
      read.projectPath,
      { ...settings, clock: ports.clock },
      ports.signal,
    );
    return await reviewFound({ forge: forge.id, projectId, iid: read.iid }, { ...settings, token }, ports);
  } catch (error) {
    ports.signal.throwIfAborted();
    if (!(error instanceof DrydockError) || error.kind === 'config') throw error;
    return refusalOf(error, subject.url);
  }
}

async function findProject(
  forge: ReviewForge & { readonly token: Secret },
  path: string,
  { proxy, caPem, clock }: Pick<ReviewSettings, 'proxy' | 'caPem'> & { readonly clock: Clock },
  signal: AbortSignal,
): Promise<string> {
  const client = createForge({ kind: 'gitlab', ...forge, proxy, caPem, clock });
  try {
    return await client.findProject(path, signal);
  } finally {
    await client.close();
  }
}

async function reviewFound(
  ref: MergeRequestRef,
  settings: MergeRequestSettings & { readonly token: Secret },
  ports: ReviewPorts,
): Promise<ReviewEnd> {
  const { forge, token } = settings;
  const forges = [{ kind: 'gitlab' as const, id: forge.id, baseUrl: forge.baseUrl, token }];
  await using stage = await startReviewStage({ ...settings, forges, local: null, scope: forge.baseUrl }, ports);
  const mergeRequest = await stage.readMergeRequest(ref);
  ports.onProgress({ kind: 'change', told: toldOf(mergeRequest) });
  if (mergeRequest.state !== 'opened') {
    return { kind: 'nothing', why: `The merge request is ${mergeRequest.state}: only open ones are reviewed.` };
  }
  const { diffRefs } = mergeRequest;
  if (diffRefs === null) {
    return {
      kind: 'refused',
      why: 'GitLab has not prepared the diff of this merge request yet.',
      hint: 'try again in some seconds.',
    };
  }
  const end = await stage.review({ ref, diffRefs });
  if (end.kind !== 'reviewed') return end;
  return { ...end, rootDir: null, publication: await postIfWanted(stage, end, ports) };
}

async function postIfWanted(
  stage: ReviewStage,
  { report, runId }: Extract<Awaited<ReturnType<ReviewStage['review']>>, { kind: 'reviewed' }>,
  { mayPost }: ReviewPorts,
) {
  return mayPost !== null && (await mayPost(report)) ? stage.publish(runId) : null;
}

function toldOf({ projectPath, ref, headSha, targetBranch, title }: MergeRequest): string {
  return `${projectPath}!${String(ref.iid)}: ${title} (${headSha?.slice(0, 8) ?? 'no commit'} into ${targetBranch})`;
}

function refusalOf(error: DrydockError, url: string): ReviewEnd {
  if (error instanceof BlockedError) {
    return {
      kind: 'refused',
      why: `GitLab refuses our access: ${error.message}`,
      hint: 'look at DRYDOCK_GITLAB_TOKEN: is it valid, and has it the scope api?',
    };
  }
  if ((error instanceof TerminalError && error.code === 'forge.not_found') || error.code === 'merge_request.gone') {
    return {
      kind: 'refused',
      why: `There is no merge request at ${url}, or DRYDOCK_GITLAB_TOKEN may not see it.`,
      hint: 'look at the address and at the rights of the token.',
    };
  }
  return { kind: 'failed', why: error.message, code: error.code, usage: null };
}
