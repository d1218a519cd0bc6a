/** Drops the events that can never matter and records the rest as facts. It knows no policy: the scheduler decides. */
import { parseCommand, unreachable, type ForgeId, type TaskRequest } from '@drydock/core';
import type { ForgeEvent } from '@drydock/forge';

/** What becomes of an event. `outcome` is a metric label and the answer's header: one of few words. */
export type Triage =
  | { readonly kind: 'enqueue'; readonly request: TaskRequest }
  | { readonly kind: 'drop'; readonly outcome: string; readonly problems?: string };

/** Turns an event into a task request, or says why not. */
export function triage(
  forge: ForgeId,
  event: ForgeEvent,
  isAllowed: (projectId: string, path: string) => boolean,
): Triage {
  switch (event.kind) {
    case 'ignored':
      return { kind: 'drop', outcome: `ignored-${event.why}` };
    case 'unreadable':
      return { kind: 'drop', outcome: 'unreadable', problems: event.problems };
    case 'merge-request-changed':
    case 'commented': {
      if (!isAllowed(event.projectId, event.projectPath)) return { kind: 'drop', outcome: 'project-not-allowed' };
      const facts = {
        v: 1,
        kind: 'review',
        subject: { forge, projectId: event.projectId, iid: event.iid },
        projectPath: event.projectPath,
        occurredAtMs: event.occurredAtMs,
        headSha: event.headSha,
      } as const;
      if (event.kind === 'merge-request-changed')
        return { kind: 'enqueue', request: { ...facts, trigger: event.trigger, command: null } };
      const verb = parseCommand(event.body);
      if (verb === null) return { kind: 'drop', outcome: 'ignored-no-command' };
      const command = { verb, noteId: event.noteId, userId: event.userId };
      return { kind: 'enqueue', request: { ...facts, trigger: 'commanded', command } };
    }
    default:
      return unreachable(event);
  }
}
