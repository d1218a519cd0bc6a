import type { YAMLError } from 'yaml';

type FaultCode = YAMLError['code'];

const words: Readonly<Partial<Record<FaultCode, string>>> = {
  TAB_AS_INDENT: 'a tab: YAML is indented by spaces only',
  TAG_RESOLVE_FAILED: 'tags are not supported, and a text that begins with ! must stand in quotes',
  DUPLICATE_KEY: 'a key that stands here already',
  NON_STRING_KEY: 'a key must be a text',
  BLOCK_AS_IMPLICIT_KEY: 'two colons in one line: a text with a colon and a space in it must stand in quotes',
  MULTILINE_IMPLICIT_KEY: 'here belongs "key: value", with a colon and a space',
  BAD_DQ_ESCAPE: 'a backslash between double quotes: write two of them, or use single quotes',
};

/** What is wrong with the syntax, in words of who wrote the file. Holds nothing of the file but punctuation. */
export function describeFault({ code, message, pos: [offset] }: YAMLError, text: string): string {
  const letter = text.charAt(offset);
  if (code === 'BAD_SCALAR_START') return `a text that begins with ${letter} must stand in quotes`;
  if (code === 'BAD_INDENT') {
    if (!message.startsWith('Flow')) return 'keys that belong together must begin in the same column';
    return message.includes('map') ? 'a { without its } before here' : 'a [ without its ] before here';
  }
  if (code === 'MISSING_CHAR') {
    if (message.includes('quote')) return 'a quote that is never closed';
    if (letter === '#') return 'a # begins a comment: a text that begins with it must stand in quotes';
    return 'a comma or a colon is missing';
  }
  if (code === 'UNEXPECTED_TOKEN') {
    if (letter === ']' || letter === '}') return `a ${letter} that nothing opened`;
    if (!message.includes('node end')) return 'this belongs to nothing before it';
    return 'more text behind the end of the value: the whole of it must stand in quotes';
  }
  return words[code] ?? 'this is no valid YAML';
}

const mendable: readonly FaultCode[] = [
  'BAD_DQ_ESCAPE',
  'BAD_SCALAR_START',
  'DUPLICATE_KEY',
  'TAB_AS_INDENT',
  'TAG_RESOLVE_FAILED',
];

/** Whether it is still certain what else the file says. */
export function isMendable({ code }: YAMLError): boolean {
  return mendable.includes(code);
}
