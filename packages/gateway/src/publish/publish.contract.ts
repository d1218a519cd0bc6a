/** A real merge request on the fake GitLab, and agents' claims about it: what the tests of publishing share. */
import { execFileSync } from 'node:child_process';
import {
  ReviewPolicy,
  Secret,
  silentLog,
  type Clock,
  type DiffRefs,
  type Finding,
  type MergeRequest,
  type MergeRequestRef,
  type Publication,
  type ReviewResult,
  type Side,
} from '@drydock/core';
import { createForge, type Forge, type ForgeSettings } from '@drydock/forge';
import { readDiff } from '@drydock/git';
import {
  startFakeGitLab,
  type FakeGitLab,
  type FakeGitLabOptions,
  type GitLabFileChanges,
  type GitLabProject,
  type GitLabUser,
} from '@drydock/testkit';
import { markerKeys, type MarkerKeys } from './marker.ts';
import type { PublishPorts } from './publish-ports.ts';
import { publishReview } from './publish-review.ts';
import type { ReviewToPublish } from './review-to-publish.ts';

/** The time stands still, and nobody waits. */
export const instantClock: Clock = {
  nowMs: () => Date.UTC(2026, 0, 1),
  monotonicMs: () => performance.now(),
  sleep: () => Promise.resolve(),
};

/** Ends never. */
export const never = new AbortController().signal;

/** A claim that quotes nothing yet. `at` finds its lines in the file. */
export type Claim = Partial<Omit<Finding, 'startLine' | 'endLine' | 'quotedCode'>> &
  Pick<Finding, 'path'> & {
    /** The text of the lines, joined by line feeds; they are looked up, and quoted as they are. */
    readonly at: string;
  };

/** What a bench starts from. */
export interface BenchSetup {
  readonly before: GitLabFileChanges;
  readonly after: GitLabFileChanges;
  readonly policy?: Partial<ReviewPolicy>;
  readonly gitlab?: FakeGitLabOptions;
  readonly forge?: Partial<ForgeSettings>;
}

/** A merge request of one project on a fake GitLab. */
export class PublishBench implements AsyncDisposable {
  readonly gitlab: FakeGitLab;
  readonly project: GitLabProject;
  readonly author: GitLabUser;
  readonly ref: MergeRequestRef;
  readonly policy: ReviewPolicy;
  readonly forge: Forge;
  keys: MarkerKeys = markerKeys([new Secret('a marker key for tests')]);

  private constructor(parts: Pick<PublishBench, 'gitlab' | 'project' | 'author' | 'ref' | 'policy' | 'forge'>) {
    this.gitlab = parts.gitlab;
    this.project = parts.project;
    this.author = parts.author;
    this.ref = parts.ref;
    this.policy = parts.policy;
    this.forge = parts.forge;
  }

  static async start(setup: BenchSetup): Promise<PublishBench> {
    const gitlab = await startFakeGitLab({ notesPerMinute: null, requestsPerMinute: null, ...setup.gitlab });
    const author = gitlab.createUser({ username: 'ada' });
    const project = await gitlab.createProject({ path: 'group/service', files: setup.before });
    gitlab.setRole(project, author, 'maintainer');
    await gitlab.push(project, 'feature', setup.after, { by: author, from: 'main' });
    const opened = await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'A change', author });
    const ref = { forge: 'gitlab', projectId: String(project.id), iid: opened.iid };
    const forge = createForge({
      kind: 'gitlab',
      id: 'gitlab',
      baseUrl: gitlab.url,
      token: new Secret(gitlab.token),
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      caPem: gitlab.caPem,
      clock: instantClock,
      notesPerMinute: 100_000,
      ...setup.forge,
    });
    const policy = ReviewPolicy.parse({ maxComments: 100, ...setup.policy });
    return new PublishBench({ gitlab, project, author, ref, policy, forge });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forge.close();
    await this.gitlab[Symbol.asyncDispose]();
  }

  get ports(): PublishPorts {
    return { forge: this.forge, markerKeys: this.keys, log: silentLog, clock: instantClock };
  }

  /** Comments of ours that stand in threads. */
  get threads() {
    return this.gitlab.discussions(this.ref.iid).filter((thread) => thread.notes[0]?.authorId === this.gitlab.bot.id);
  }

  /** Bodies of our summary notes. */
  get summaries(): string[] {
    const alone = this.gitlab.mergeRequest(this.ref.iid).discussions.filter((thread) => thread.isIndividual);
    const notes = alone.flatMap((thread) => thread.notes).filter((note) => !note.system);
    return notes.filter((note) => note.authorId === this.gitlab.bot.id).map((note) => note.body);
  }

  push(files: GitLabFileChanges): Promise<string> {
    return this.gitlab.push(this.project, 'feature', files, { by: this.author });
  }

  /** Review these claims of the newest version and publish them. */
  async publish(
    claims: readonly Claim[],
    options: Partial<Omit<ReviewToPublish, 'result'>> & {
      readonly signal?: AbortSignal;
      readonly result?: Partial<ReviewResult>;
    } = {},
  ): Promise<Publication> {
    const { signal = never, ...given } = options;
    return publishReview(this.ports, await this.review(claims, given), signal);
  }

  /** Publishes again and again, as the scheduler does after a `TransientError`. */
  async publishUntilDone(review: ReviewToPublish, times = 10): Promise<Publication> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await publishReview(this.ports, review, never);
      } catch (error) {
        if (attempt === times || (error as { kind?: string }).kind !== 'transient') throw error;
      }
    }
  }

  async review(
    claims: readonly Claim[],
    { result, ...given }: Partial<Omit<ReviewToPublish, 'result'>> & { readonly result?: Partial<ReviewResult> } = {},
  ): Promise<ReviewToPublish> {
    const { mergeRequest } = await this.forge.readMergeRequest(this.ref, never);
    const refs = mergeRequest.diffRefs;
    if (refs === null) throw new Error('the fake GitLab has not prepared the merge request');
    const repo = { gitDir: this.project.repository.dir, searchPath: '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin' };
    const readLines = (side: Side, path: string) => Promise.resolve(this.lines(refs, side, path));
    return {
      mergeRequest: { ...mergeRequest, reviewed: null } satisfies MergeRequest,
      refs,
      diff: await readDiff({ repo, baseSha: refs.baseSha, headSha: refs.headSha }, never),
      readLines,
      result: {
        kind: 'review',
        headSha: refs.headSha,
        partial: null,
        partialCode: null,
        summary: 'A small change.',
        findings: claims.map((claim) => this.#toFinding(claim, refs)),
        changedFiles: 3,
        notRead: [],
        turns: 4,
        stagesMs: {},
        ...result,
      },
      policy: this.policy,
      usage: {
        calls: 4,
        reusedCalls: 0,
        tokens: { input: 1000, output: 200, cacheRead: 12_000, cacheWrite: 500 },
        costUsd: 0.0123,
      },
      attempt: 1,
      assertCurrent: () => Promise.resolve(),
      ...given,
    };
  }

  /** Lines of a file without line feeds; null: not there, or with a NUL in it. */
  lines(refs: DiffRefs, side: Side, path: string): readonly string[] | null {
    const name = `${side === 'new' ? refs.headSha : refs.baseSha}:${path}`;
    let text: string;
    try {
      const options = { cwd: this.project.repository.dir, encoding: 'utf8' as const, stdio: 'pipe' as const };
      text = execFileSync('git', ['cat-file', 'blob', name], options);
    } catch {
      return null;
    }
    if (text.includes('\0')) return null;
    return text.replace(/\n$/, '').split('\n');
  }

  #toFinding({ at, ...claim }: Claim, refs: DiffRefs): Finding {
    const side = claim.side ?? 'new';
    const lines = this.lines(refs, side, claim.path) ?? [];
    const wanted = at.split('\n');
    const index = lines.findIndex((_, start) =>
      wanted.every((line, offset) => lines[start + offset]?.trim() === line.trim()),
    );
    const quoted = lines.slice(index, index + wanted.length);
    const isFound = index >= 0 && at !== '';
    return {
      side,
      severity: 'medium',
      category: 'correctness',
      confidence: 0.9,
      title: `About ${at.slice(0, 40)}`,
      reason: 'Because of what it does.',
      suggestion: null,
      source: { kind: 'model' },
      ...claim,
      startLine: isFound ? index + 1 : 1,
      endLine: isFound ? index + wanted.length : 1,
      quotedCode: isFound ? quoted.join('\n') : at,
    };
  }
}
