import { visibleLine } from '../report/visible-text.ts';

const plain = /^[ -~]*$/;

/** A text of strangers as one line of a terminal may have it; most are plain, and not looked at letter by letter. */
export function cellText(text: string): string {
  return plain.test(text) ? text : visibleLine(text);
}

/** Whether every character takes one column. */
export function isPlain(text: string): boolean {
  return plain.test(text);
}
