import { PauseEvent, type ParkedItem, type Pause } from '@drydock/core';
import { scopeOf, scopePartsOf } from './pause-scope.ts';

/** Reads the hash of pauses, as `lua/pause.lua` writes it: longest ago first. */
export function parsePauses(hash: Readonly<Record<string, string>>): Pause[] {
  return Object.entries(hash)
    .map(([key, text]) => {
      const [atMs, by = '', why = ''] = text.split('|');
      return { scope: scopeOf(key), by, why, atMs: Number(atMs) };
    })
    .sort((left, right) => left.atMs - right.atMs);
}

/** Reads the list of what became of pauses, oldest first. One that we do not know is left out. */
export function parsePauseEvents(texts: readonly string[]): PauseEvent[] {
  return texts.toReversed().flatMap((text) => {
    const [atMs, what, who, scope = '', why] = text.split('|');
    const parsed = PauseEvent.safeParse({ atMs: Number(atMs), what, who, why, scope: scopePartsOf(scope) });
    return parsed.success ? [parsed.data] : [];
  });
}

/** Reads members and scores of the tasks that were parked and of the places that were set aside, newest first. */
export function parseParked({
  tasks,
  places,
}: {
  readonly tasks: readonly string[];
  readonly places: readonly string[];
}): ParkedItem[] {
  const found = [
    ...pairsOf(tasks).map(({ name, sinceMs }) => ({ kind: 'task' as const, name, sinceMs })),
    ...pairsOf(places).map(({ name, sinceMs }) => {
      const kind = name.startsWith('forge:') ? ('forge' as const) : ('project' as const);
      return { kind, name: name.slice(name.indexOf(':') + 1), sinceMs };
    }),
  ];
  return found.sort((left, right) => right.sinceMs - left.sinceMs || (left.name < right.name ? -1 : 1));
}

function pairsOf(flat: readonly string[]): { readonly name: string; readonly sinceMs: number }[] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [{ name, sinceMs: Number(flat[i + 1]) }] : []));
}
