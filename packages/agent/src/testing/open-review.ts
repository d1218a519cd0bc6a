import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReviewPolicy, Secret, silentLog, systemClock, type DiffRefs, type Finding } from '@drydock/core';
import { leaveOut } from '../diff/left-out.ts';
import { readChange } from '../diff/read-change.ts';
import type { ToolAnswer } from '../loop/agent-loop.ts';
import { ReviewSession } from '../review-session.ts';
import { reviewTools } from '../tools/registry.ts';
import { runTool } from '../tools/run-tool.ts';
import { checkOut, type Checkout } from '../workspace/git-checkout.ts';
import { GitWorkspace } from '../workspace/git-workspace.ts';
import { aContext } from './builders.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

/** A review without its model: a real checkout through a real gateway, and tools to call. */
export interface OpenReview extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly checkout: Checkout;
  readonly workspace: GitWorkspace;
  readonly session: ReviewSession;
  readonly workDir: string;
  readonly findings: readonly Finding[];
  /** Calls a tool as the model would. */
  call(name: string, input: Readonly<Record<string, unknown>> | null): Promise<ToolAnswer>;
}

/** Opens a review of a repository's commits. */
export async function openReview(
  gitDir: string,
  refs: DiffRefs,
  options: { readonly policy?: Readonly<Record<string, unknown>>; readonly signal?: AbortSignal } = {},
): Promise<OpenReview> {
  const signal = options.signal ?? new AbortController().signal;
  await using cleanup = new AsyncDisposableStack();
  const workDir = await mkdtemp(join(tmpdir(), 'drydock-agent-'));
  cleanup.defer(() => rm(workDir, { recursive: true, force: true }));
  const gateway = cleanup.use(await startTestGateway({ gitDir, context: aContext(refs) }));
  const settings = { workDir, gatewayUrl: gateway.url, token: new Secret(gateway.token), searchPath: testSearchPath };
  const checkout = cleanup.use(await checkOut(refs, settings, signal));
  const { files, attributes } = await readChange(checkout, signal);
  const policy = ReviewPolicy.parse(options.policy ?? {});
  const session = new ReviewSession({
    files: leaveOut(files, { policy, attributes }),
    mayOfferSuggestions: policy.suggestions,
  });
  const workspace = cleanup.use(new GitWorkspace(checkout, files));
  const findings: Finding[] = [];
  const context = {
    workspace,
    review: session,
    clock: systemClock,
    onFinding: (finding: Finding) => findings.push(finding),
  };
  const parts = { tools: reviewTools, context, onProgress: () => undefined, log: silentLog, clock: systemClock };
  const kept = cleanup.move();
  return {
    ...{ gateway, checkout, workspace, session, workDir, findings },
    call: (name, input) => runTool({ id: 'toolu_1', name, input }, parts, signal),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Where the tests find git. */
export const testSearchPath = '/usr/local/bin:/usr/bin:/bin';
