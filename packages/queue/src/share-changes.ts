import type { ProjectKey, ProjectShare } from '@drydock/core';

/** A share as it is stored, `<weight> <most running, or ->`; null: it is taken away. */
export interface ShareChange {
  readonly project: string;
  readonly share: string | null;
}

/** What makes the stored shares the wanted ones, ordered by project; nothing where they are. */
export function shareChanges(
  stored: Readonly<Record<string, string>>,
  wanted: ReadonlyMap<ProjectKey, ProjectShare>,
): readonly ShareChange[] {
  const texts = new Map<string, string>(
    [...wanted].map(([project, { weight, maxRunning }]) => [
      project,
      `${String(weight)} ${maxRunning === null ? '-' : String(maxRunning)}`,
    ]),
  );
  const gone = Object.keys(stored).filter((project) => !texts.has(project));
  const set = [...texts].filter(([project, share]) => stored[project] !== share);
  return [
    ...gone.map((project) => ({ project, share: null })),
    ...set.map(([project, share]) => ({ project, share })),
  ].sort((left, right) => (left.project < right.project ? -1 : 1));
}
