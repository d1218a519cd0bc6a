import { Sha, TerminalError } from '@drydock/core';

/** `refs/` and then nothing that git's own rules for names forbid. */
const fullRef = /^refs(?:\/(?!\.)[^\s~^:?*[\\/\p{Cc}]+)+$/u;

/**
 * Lets through full commit ids and full ref names alone, for anything shorter may mean a tag, a branch or a file of
 * that name, or an option. Throws `request.malformed`.
 */
export function checkRevision(text: string): string {
  if (Sha.safeParse(text).success || isFullRef(text)) return text;
  throw new TerminalError('request.malformed', 'neither a full commit id nor a full ref name');
}

/** Whether a ref is named in full, by git's rules for names. */
function isFullRef(text: string): boolean {
  if (!fullRef.test(text) || text.includes('..') || text.includes('@{') || text.length > 1000) return false;
  return text.split('/').every((part) => !part.endsWith('.lock') && !part.endsWith('.'));
}
