import { hasHiddenCharacters } from '@drydock/core';

/**
 * JSON for a file or a terminal: the same values as `JSON.stringify` gives, with every character escaped that a terminal
 * obeys or a reader cannot see. A bare `--format json` shows text of strangers.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, null, 2).replace(/[^\n -~]/gu, (character) =>
    hasHiddenCharacters(character) || character === '\t' ? escaped(character) : character,
  );
  return `${text}\n`;
}

function escaped(character: string): string {
  return [...character.split('')].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
}
