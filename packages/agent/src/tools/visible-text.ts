/**
 * Repository text as a model or a terminal may see it: whatever hides, reorders or controls is spelled out by its code
 * point. Hidden text is how instructions are smuggled past the people who read the change.
 */

/** Controls, format characters (bidi, tags, zero-width), fillers, variation selectors, lone surrogates, U+2028 and U+2029. */
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** How a hidden character is spelled out. */
const spelled = /⟨U\+[0-9A-F]{4,6}⟩/;

/** Makes one line visible. Tabs stay; a carriage return at the end is dropped, as it is part of the line's ending. */
export function visibleLine(line: string): string {
  return spell(line.endsWith('\r') ? line.slice(0, -1) : line, '\t');
}

/** Makes a text of several lines visible. */
export function visibleText(text: string): string {
  return spell(text.replaceAll('\r\n', '\n'), '\t\n');
}

/** The text behind our spelling, so that a path can be named as it was shown. What spells no character stays. */
export function unspell(text: string): string {
  return text.replace(/⟨U\+([0-9A-F]{4,6})⟩/g, (whole, digits: string) => {
    const code = Number.parseInt(digits, 16);
    return code > 0x10ffff ? whole : String.fromCodePoint(code);
  });
}

/** Whether a text holds our spelling of a hidden character: whoever quotes it back did not see the character itself. */
export function holdsSpelledCharacter(text: string): boolean {
  return spelled.test(text);
}

function spell(text: string, allowed: string): string {
  return text.replace(hidden, (character) =>
    allowed.includes(character)
      ? character
      : `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
  );
}
