import { PauseScope, type ProjectKey } from '@drydock/core';

/** How many beginnings and ends of pauses are kept. */
export const longestPauseHistory = 200;

/** Names a scope: `all`, `forge:gitlab`, `project:gitlab:42`. */
export function scopeKey(scope: PauseScope): string {
  switch (scope.kind) {
    case 'all':
      return 'all';
    case 'forge':
      return `forge:${scope.forge}`;
    case 'project':
      return `project:${scope.forge}:${scope.projectId}`;
  }
}

/** The scope of that name. */
export function scopeOf(key: string): PauseScope {
  return PauseScope.parse(scopePartsOf(key));
}

/** What a name says of its scope, not looked at. */
export function scopePartsOf(key: string): object {
  const [kind, forge, projectId] = key.split(':');
  return {
    kind,
    ...(forge === undefined ? {} : { forge }),
    ...(projectId === undefined ? {} : { projectId }),
  };
}

/** Whether any pause holds the project back. */
export function isPausedIn(pauses: { has(key: string): boolean }, project: ProjectKey): boolean {
  const forge = project.slice(0, project.indexOf(':'));
  return pauses.has('all') || pauses.has(`forge:${forge}`) || pauses.has(`project:${project}`);
}
