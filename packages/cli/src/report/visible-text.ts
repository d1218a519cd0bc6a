import { showHiddenCharacters } from '@drydock/core';

const tabStop = 4;

/**
 * One line as a terminal may have it: no control, direction mark or invisible character but spelled out. Tabs become
 * spaces; a carriage return at the end goes, as it belongs to the line's ending.
 */
export function visibleLine(text: string): string {
  let line = '';
  for (const character of text.endsWith('\r') ? text.slice(0, -1) : text) {
    if (character === '\t') line += ' '.repeat(tabStop - (line.length % tabStop));
    else line += character;
  }
  return showHiddenCharacters(line).replaceAll('\n', '‹U+000A›');
}

/** A text of several lines, each made visible. */
export function visibleLines(text: string): string[] {
  return text.split('\n').map(visibleLine);
}
