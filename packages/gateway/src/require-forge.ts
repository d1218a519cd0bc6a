import { TerminalError } from '@drydock/core';
import type { Forge } from '@drydock/forge';

/** A configured forge. Throws `TerminalError` (`request.not_found`) for any other. */
export function requireForge(forges: ReadonlyMap<string, Forge>, id: string): Forge {
  const forge = forges.get(id);
  if (forge === undefined) throw new TerminalError('request.not_found', 'no forge of that name is configured');
  return forge;
}
