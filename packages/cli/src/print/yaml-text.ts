import { hasHiddenCharacters } from '@drydock/core';
import { Document, Scalar, visit } from 'yaml';

/**
 * YAML for a terminal: the same values, with every character escaped that a terminal obeys or a reader cannot see.
 */
export function yamlText(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string' && (hasHiddenCharacters(node.value) || /[\t\n]/.test(node.value)))
        node.type = Scalar.QUOTE_DOUBLE; // where escapes mean what they escape
    },
  });
  const text = document.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: Infinity });
  return text.replace(/[^\n -~]/gu, (character) => (hasHiddenCharacters(character) ? escaped(character) : character));
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`;
}
