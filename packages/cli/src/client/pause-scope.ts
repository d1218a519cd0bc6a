import { ForgeId, type PauseScope } from '@drydock/core';
import type { ControlClient } from './control-client.ts';
import { refuseStandstill } from './find-tasks.ts';
import { projectMatcher } from './selector.ts';
import { UsageError } from './usage-error.ts';

/** What is to be paused, as it was typed: known at once, or projects by path, which only the server knows by number. */
export type NamedScope =
  | { readonly kind: 'known'; readonly scope: PauseScope }
  | { readonly kind: 'project'; readonly path: string; readonly isPattern: boolean };

/** `all`, a forge (`gitlab`), a project by id (`gitlab:42`) or path, or a glob of paths. Throws `UsageError`. */
export function parseScope(text: string): NamedScope {
  if (text === 'all') return { kind: 'known', scope: { kind: 'all' } };
  const [, forge, projectId] = /^([a-z][a-z0-9-]{0,30}):([1-9]\d{0,19})$/.exec(text) ?? [];
  if (forge !== undefined && projectId !== undefined)
    return { kind: 'known', scope: { kind: 'project', forge, projectId } };
  if (text.includes('/') && !/[:!]/.test(text))
    return { kind: 'project', path: text, isPattern: /[*?[\]{}]/.test(text) };
  if (ForgeId.safeParse(text).success) return { kind: 'known', scope: { kind: 'forge', forge: text } };
  throw new UsageError(
    `"${text}" cannot be paused: write a forge (gitlab), a project (group/project, gitlab:42), a glob of projects, or --all`,
  );
}

/** The projects so named. Empty: the server knows of none. */
export async function findScopes(client: ControlClient, named: NamedScope): Promise<readonly PauseScope[]> {
  if (named.kind === 'known') return [named.scope];
  const found = new Map<string, PauseScope>();
  if (!named.isPattern) {
    // A project that has no tasks at the moment is still known by those that ended.
    const { tasks } = await client.tasks({ project: named.path, limit: 1, cursor: null });
    for (const { subject, projectPath } of tasks) {
      if (projectPath.toLowerCase() === named.path.toLowerCase()) add(found, subject);
    }
  }
  const matches = projectMatcher(named.path);
  let cursor: string | null = null;
  do {
    const page = await client.projects({ limit: 500, cursor });
    for (const project of page.projects) if (matches(project)) add(found, project);
    refuseStandstill(cursor, page.cursor);
    cursor = page.cursor;
  } while (cursor !== null);
  return [...found.values()];
}

function add(
  found: Map<string, PauseScope>,
  { forge, projectId }: { readonly forge: string; readonly projectId: string },
): void {
  found.set(`${forge}:${projectId}`, { kind: 'project', forge, projectId });
}
