import {
  taskIdOf,
  type FailedDeliveryPage,
  type HookReport,
  type OpenMergeRequest,
  type OpenMergeRequestPage,
  type ProjectPage,
  type ResendReport,
  type TaskId,
} from '@drydock/core';
import type { OpenMergeRequestQuery, SweepGateway } from '../sweep/sweep-gateway.ts';
import { sha } from './world-gateway.ts';

const perPage = 2;

/** A forge with many projects behind a gateway; its lists go in pages of two. */
export class SweepWorld implements SweepGateway {
  readonly projects: { readonly projectId: string; readonly projectPath: string }[] = [];
  readonly mergeRequests: OpenMergeRequest[] = [];
  readonly hooks = new Map<string, Extract<HookReport, { kind: 'seen' }>['hooks']>();
  /** What the webhooks of each project failed to deliver, oldest first. */
  readonly failures = new Map<string, FailedDeliveryPage['deliveries']>();
  /** Sends a delivery again; told of which project, and the id. */
  resend: (projectId: string, eventId: string) => ResendReport['kind'] = () => 'delivered';
  /** Calls in their order, such as `open 7 since 1000`. */
  readonly calls: string[] = [];
  canListAll = false;
  /** Thrown instead of an answer; told which project is asked about, null: none. */
  fault: (projectId: string | null) => Error | null = () => null;
  /** What happens before each answer. */
  meanwhile: () => Promise<void> = async () => undefined;

  addProject(id: number): string {
    const projectId = String(id);
    this.projects.push({ projectId, projectPath: `shop/p${projectId}` });
    return projectId;
  }

  /** Opens or changes a merge request. */
  change(projectId: string, iid: number, updatedAtMs: number, headSha = sha('a')): TaskId {
    this.close(projectId, iid);
    const ref = { forge: 'gitlab', projectId, iid };
    this.mergeRequests.push({ ref, projectPath: `shop/p${projectId}`, headSha, updatedAtMs });
    return taskIdOf('review', ref);
  }

  close(projectId: string, iid: number): void {
    const at = this.mergeRequests.findIndex(({ ref }) => ref.projectId === projectId && ref.iid === iid);
    if (at >= 0) this.mergeRequests.splice(at, 1);
  }

  async listProjects(_forge: string, cursor: string | null): Promise<ProjectPage> {
    await this.#enter('projects', null);
    const { page, next } = pageOf(this.projects, cursor);
    return { v: 1, projects: page, cursor: next, canListAll: this.canListAll };
  }

  async listOpenMergeRequests(_forge: string, query: OpenMergeRequestQuery): Promise<OpenMergeRequestPage> {
    const { projectId, updatedAfterMs, cursor } = query;
    await this.#enter(`open ${projectId ?? 'all'} since ${String(updatedAfterMs)}`, projectId);
    const found = this.mergeRequests
      .filter(({ ref }) => projectId === null || ref.projectId === projectId)
      .filter(({ updatedAtMs }) => updatedAtMs >= updatedAfterMs)
      .sort((left, right) => left.updatedAtMs - right.updatedAtMs);
    const { page, next } = pageOf(found, cursor);
    return { v: 1, mergeRequests: page, cursor: next };
  }

  async readHooks(_forge: string, projectId: string): Promise<HookReport> {
    await this.#enter(`hooks ${projectId}`, projectId);
    const hooks = this.hooks.get(projectId);
    return hooks === undefined ? { v: 1, kind: 'unseen' } : { v: 1, kind: 'seen', hooks };
  }

  async listFailedDeliveries(
    _forge: string,
    { projectId }: { readonly projectId: string },
    page: number,
  ): Promise<FailedDeliveryPage> {
    await this.#enter(`failures ${projectId} page ${String(page)}`, projectId);
    const found = pageOf((this.failures.get(projectId) ?? []).toReversed(), String((page - 1) * perPage));
    return { v: 1, deliveries: found.page, nextPage: found.next === null ? null : page + 1 };
  }

  async resendDelivery(
    _forge: string,
    { projectId, eventId }: { readonly projectId: string; readonly eventId: string },
  ): Promise<ResendReport['kind']> {
    await this.#enter(`resend ${projectId} ${eventId}`, projectId);
    return this.resend(projectId, eventId);
  }

  async #enter(call: string, projectId: string | null): Promise<void> {
    this.calls.push(call);
    await this.meanwhile();
    const error = this.fault(projectId);
    if (error !== null) throw error;
  }
}

function pageOf<Item>(items: readonly Item[], cursor: string | null): { page: Item[]; next: string | null } {
  const from = Number(cursor ?? 0);
  const to = from + perPage;
  return { page: items.slice(from, to), next: to < items.length ? String(to) : null };
}
