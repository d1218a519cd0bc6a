import type {
  FailedDeliveryPage,
  HookReport,
  NumericId,
  OpenMergeRequestPage,
  ProjectPage,
  ResendReport,
} from '@drydock/core';

/** Which open merge requests are asked for. */
export interface OpenMergeRequestQuery {
  /** Null: of all projects at once. */
  readonly projectId: NumericId | null;
  /** Changed at that time or later, by the forge's clock. */
  readonly updatedAfterMs: number;
  readonly cursor: string | null;
}

/** What the sweep asks of the gateway; each page is one call of the forge's API. Throws as `Gateway` does. */
export interface SweepGateway {
  listProjects(forge: string, cursor: string | null, signal: AbortSignal): Promise<ProjectPage>;
  listOpenMergeRequests(
    forge: string,
    query: OpenMergeRequestQuery,
    signal: AbortSignal,
  ): Promise<OpenMergeRequestPage>;
  readHooks(forge: string, projectId: NumericId, signal: AbortSignal): Promise<HookReport>;
  listFailedDeliveries(
    forge: string,
    hook: { readonly projectId: NumericId; readonly hookId: NumericId },
    page: number,
    signal: AbortSignal,
  ): Promise<FailedDeliveryPage>;
  resendDelivery(
    forge: string,
    delivery: { readonly projectId: NumericId; readonly hookId: NumericId; readonly eventId: NumericId },
    signal: AbortSignal,
  ): Promise<ResendReport['kind']>;
}
