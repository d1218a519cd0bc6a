import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  MergeRequestRef,
  RunRequest,
  RunsQuery,
  TerminalError,
  noUsage,
  runIdOf,
  toWireError,
  type MergeRequest,
  type Publication,
  type ReviewResult,
  type RunGrant,
  type RunId,
  type RunView,
  type RunsOver,
} from '@drydock/core';

/** A gateway in which every merge request is open and worth a review, and every agent finds nothing. */
export interface BenchGateway extends AsyncDisposable {
  readonly url: string;
  readonly controlToken: string;
  /** The agent of a run has handed in its result. */
  submit(runId: RunId): void;
}

const sha = (letter: string) => letter.repeat(40);
const diffRefs = { baseSha: sha('b'), startSha: sha('b'), headSha: sha('a') };
const noCalls = { calls: 0, reusedCalls: 0, tokens: noUsage, costUsd: 0 };
const unknown = toWireError(new TerminalError('run.unknown', 'no such run is known'));
const controlToken = 'control-token-of-the-benchmark';

/** `latencyMs`: what each answer takes, in place of the forge and the network behind a real gateway. */
export async function startBenchGateway(latencyMs: number): Promise<BenchGateway> {
  const runs = new Map<RunId, RunView>();
  const server = createServer((request, response) => {
    void readBody(request).then((text) => {
      const body = answer(runs, request.method ?? 'GET', request.url ?? '/', text);
      setTimeout(() => send(response, body), latencyMs);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    controlToken,
    submit(runId) {
      const run = runs.get(runId);
      if (run !== undefined) runs.set(runId, { ...run, result: aResult });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

function send(response: ServerResponse, body: object | null | undefined): void {
  if (body === undefined) response.writeHead(404).end(JSON.stringify(unknown?.body));
  else if (body === null) response.writeHead(204).end();
  else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Undefined: there is no such run, or it is asked for what this benchmark does not need. */
function answer(runs: Map<RunId, RunView>, method: string, path: string, text: string): object | null | undefined {
  const [, , , things, first = '', second = '', third = ''] = path.split('/');
  switch (`${method} ${String(things)}`) {
    case 'GET merge-requests':
      return mergeRequest(MergeRequestRef.parse({ forge: first, projectId: second, iid: Number(third) }));
    case 'PUT merge-requests':
      return { v: 1, kind: 'written' };
    case 'POST runs': {
      if (first === 'over') return overOf(runs, RunsQuery.parse(JSON.parse(text)));
      if (second === 'revoke') return null;
      if (second === 'publish') return publication;
      return grant(runs, RunRequest.parse(JSON.parse(text)));
    }
    case 'GET runs':
      return runs.get(first);
    default:
      return undefined;
  }
}

function grant(runs: Map<RunId, RunView>, { taskId, launch }: RunRequest): RunGrant {
  const runId = runIdOf(taskId, launch);
  runs.set(runId, {
    v: 1,
    runId,
    taskId,
    launch,
    isRevoked: false,
    isPublished: false,
    result: null,
    usage: noCalls,
  });
  return { kind: 'to-exchange', runId, deadlineSeconds: 3600 };
}

function overOf(runs: ReadonlyMap<RunId, RunView>, { runIds }: RunsQuery): RunsOver {
  const over = runIds.filter((runId) => runs.get(runId)?.result !== null);
  return { v: 1, over: over.map((runId) => ({ runId, why: 'result-is-in' })) };
}

function mergeRequest(ref: MergeRequestRef): MergeRequest {
  return {
    v: 1,
    ref,
    projectPath: `group/project-${ref.projectId}`,
    webUrl: 'https://gitlab.example.com',
    title: 'Add a thing',
    description: '',
    state: 'opened',
    isDraft: false,
    labels: [],
    isReviewRequested: false,
    author: { id: '3', username: 'ada', isBot: false },
    authorRole: null,
    sourceBranch: 'thing',
    targetBranch: 'main',
    isFromFork: false,
    headSha: diffRefs.headSha,
    diffRefs,
    reviewed: null,
  };
}

const aResult: ReviewResult = {
  kind: 'review',
  headSha: diffRefs.headSha,
  partial: null,
  partialCode: null,
  summary: '',
  findings: [],
  changedFiles: 1,
  notRead: [],
  turns: 1,
  stagesMs: {},
};

const publication: Publication = {
  v: 1,
  headSha: diffRefs.headSha,
  state: 'done',
  verdict: 'clean',
  comments: [],
  resolved: 0,
  heldBack: {},
  usage: noCalls,
  summaryUrl: null,
};
