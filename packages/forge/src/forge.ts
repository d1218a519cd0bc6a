import type {
  DiffRefs,
  ForgeId,
  ForgeUser,
  MergeRequest,
  MergeRequestRef,
  NumericId,
  OpenMergeRequest,
  Placement,
  Role,
  Secret,
  Sha,
  Side,
} from '@drydock/core';

/** The head of a merge request as the forge has it now. */
export interface MergeRequestHead {
  readonly state: MergeRequest['state'];
  /** Null: the source branch is empty or gone. */
  readonly headSha: Sha | null;
  /** Null: the forge has not prepared this head yet. */
  readonly diffRefs: DiffRefs | null;
  /** The forge's own diff is cut at its limits, so it refuses positions in the rest. */
  readonly isDiffCut: boolean;
}

/** All that a forge knows of a merge request; what we reviewed is read from our notes. */
export interface ForgeMergeRequest {
  readonly mergeRequest: Omit<MergeRequest, 'reviewed'>;
  readonly isDiffCut: boolean;
}

/** How git reaches a project's repository over HTTPS. */
export interface GitRemote {
  /** Without a credential in it. */
  readonly url: string;
  /** Value of the `Authorization` header. Never in argv or a URL. */
  readonly authorization: Secret;
  /** Always there, also when the source branch or the fork is gone. */
  readonly headRef: string;
  /** As handed in; null: not set. */
  readonly proxy: ProxyAddresses;
  /** PEM text of every authority to trust, to be written to a file for git; null: the system's own will do. */
  readonly caBundlePem: string | null;
}

/** Values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
export interface ProxyAddresses {
  readonly httpProxy: string | null;
  readonly httpsProxy: string | null;
  readonly noProxy: string | null;
}

/** A comment by our own account. */
export interface ForgeNote {
  readonly id: NumericId;
  readonly body: string;
}

/** Lines that a thread stands on, in the version it was written for. */
export type ThreadPlace =
  | {
      readonly kind: 'inline';
      readonly path: string;
      readonly side: Side;
      /** 1-based, inclusive. */
      readonly startLine: number;
      readonly endLine: number;
    }
  | { readonly kind: 'file'; readonly path: string };

/** A thread that our own account began. */
export interface ForgeThread {
  readonly id: string;
  readonly note: ForgeNote;
  /** People have answered, so it is no longer ours to remove. */
  readonly hasReplies: boolean;
  readonly isResolved: boolean;
  readonly resolvedBy: 'us' | 'others' | null;
  /** Null: a plain comment, on nothing in particular. */
  readonly place: ThreadPlace | null;
}

/** What became of a new thread: `refused` when the forge will not have it at that place. */
export type ThreadCreated =
  { readonly kind: 'created'; readonly noteId: NumericId } | { readonly kind: 'refused'; readonly why: string };

/** What a commit status says. */
export interface CommitStatus {
  readonly name: string;
  readonly state: 'pending' | 'success' | 'failed';
  /** One line, shown beside the name. */
  readonly description: string;
}

/** A page of a list; `cursor` asks for the next one, null: it is the last. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  readonly cursor: string | null;
}

/** A project by both of its names. */
export interface ForgeProject {
  readonly projectId: NumericId;
  readonly projectPath: string;
}

/** Which open merge requests to list. */
export interface OpenMergeRequestQuery {
  /** Null: of all projects that our account may see, also where it is no member. */
  readonly projectId: NumericId | null;
  /** Those changed at that time or later, by the forge's clock; null: all. */
  readonly updatedAfterMs: number | null;
  readonly cursor: string | null;
}

/** A webhook that calls us. `paused`: nothing is sent for a while; `off`: nothing until a person acts. */
export interface ForgeHook {
  readonly hookId: NumericId;
  readonly state: 'sending' | 'paused' | 'off';
  /** Of the newest delivery that failed in the last days; null: none did, or there is no log that we may read. */
  readonly lastFailedId: NumericId | null;
}

/** A delivery of a webhook that failed, as the forge's log has it. */
export interface FailedDelivery {
  readonly eventId: NumericId;
  /** The same however often it is sent; null: it has none. */
  readonly deliveryKey: string | null;
  /** `nothing`: we would ignore it. */
  readonly about: 'comment' | 'merge-request' | 'nothing';
  readonly occurredAtMs: number | null;
}

/**
 * A forge as the gateway uses it. Nothing is retried here. Every call throws the error classes of core:
 * `forge.*` codes for what the forge answered or did not, `merge_request.gone` where the merge request is not there (or
 * not visible to us), `aborted`.
 *
 * After any error of a write its effect is unknown: look before writing again.
 */
export interface Forge {
  readonly id: ForgeId;
  /** The account our credential belongs to; asked once. */
  self(signal: AbortSignal): Promise<Omit<ForgeUser, 'isBot'>>;
  /** The id of the project at this path now. Throws `TerminalError` (`forge.not_found`) when we see none there. */
  findProject(path: string, signal: AbortSignal): Promise<NumericId>;
  readMergeRequest(ref: MergeRequestRef, signal: AbortSignal): Promise<ForgeMergeRequest>;
  readHead(ref: MergeRequestRef, signal: AbortSignal): Promise<MergeRequestHead>;
  /** Asked at the forge each time: roles change. `none` for strangers and blocked members. */
  readRole(
    projectId: NumericId,
    userId: NumericId,
    signal: AbortSignal,
  ): Promise<{ readonly role: Role; readonly isBot: boolean }>;
  gitRemote(projectPath: string, iid: number): GitRemote;
  /** Every thread and plain comment of our own account, oldest first. */
  listOwnThreads(ref: MergeRequestRef, signal: AbortSignal): Promise<readonly ForgeThread[]>;
  createThread(
    ref: MergeRequestRef,
    thread: { readonly placement: Placement; readonly refs: DiffRefs; readonly body: string },
    signal: AbortSignal,
  ): Promise<ThreadCreated>;
  createNote(ref: MergeRequestRef, body: string, signal: AbortSignal): Promise<NumericId>;
  editNote(ref: MergeRequestRef, noteId: NumericId, body: string, signal: AbortSignal): Promise<void>;
  /** Deleting what is already gone succeeds. */
  deleteNote(ref: MergeRequestRef, noteId: NumericId, signal: AbortSignal): Promise<void>;
  /** Resolving what is already gone succeeds. */
  setResolved(ref: MergeRequestRef, threadId: string, isResolved: boolean, signal: AbortSignal): Promise<void>;
  /** Setting what is already set changes nothing. */
  setCommitStatus(ref: MergeRequestRef, sha: Sha, status: CommitStatus, signal: AbortSignal): Promise<void>;
  /** Whether asking for the merge requests of all projects is cheap: not where the whole world has its projects. */
  readonly canListAll: boolean;
  /** Projects that our account is a member of and that take merge requests, by their ids; one call of the API a page. */
  listProjects(cursor: string | null, signal: AbortSignal): Promise<ListPage<ForgeProject>>;
  /**
   * Open merge requests, longest unchanged first; one call of the API a page. One that changes meanwhile comes again on
   * a later page, and none is left out. A cursor that is none throws `TerminalError` (`request.malformed`).
   */
  listOpenMergeRequests(query: OpenMergeRequestQuery, signal: AbortSignal): Promise<ListPage<OpenMergeRequest>>;
  /** A project's webhooks that call us; null: our account may not look. */
  listHooks(projectId: NumericId, signal: AbortSignal): Promise<readonly ForgeHook[] | null>;
  /** Those of the last days, newest first, in pages from 1; of a webhook that is ours. Null: our account may not look. */
  listFailedDeliveries(
    hook: { readonly projectId: NumericId; readonly hookId: NumericId },
    page: number,
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly FailedDelivery[]; readonly nextPage: number | null } | null>;
  /** Has the forge send a delivery again, and answers once it did. `gone`: there is no such delivery. */
  resendDelivery(
    delivery: { readonly projectId: NumericId; readonly hookId: NumericId; readonly eventId: NumericId },
    signal: AbortSignal,
  ): Promise<'delivered' | 'failed' | 'gone'>;
  /** Where people find a comment. */
  noteUrl(mergeRequestUrl: string, noteId: NumericId): string;
  /** Ends all connections. */
  close(): Promise<void>;
}
