import { describe, expect, it } from '@jest/globals';
import { extractByMarkdown, extractByRegExp, quickActionNames } from '@drydock/testkit';
import fc from 'fast-check';
import { codeSpan, neutraliseLine, neutraliseText, quotedCode, tableCell } from './neutralise.ts';

/** Any character. The unit `binary` of fast-check is the same, after a second in which it lists them all. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

/** What is left when everything that forges show as code is taken away; quotes hold nothing but code. */
function outsideCode(markdown: string): string {
  const plain = markdown
    .split('\n')
    .filter((line) => !line.startsWith('>'))
    .join('\n');
  let rest = '';
  let from = 0;
  const runs = [...plain.matchAll(/`+/g)];
  for (const [index, run] of runs.entries()) {
    if (run.index < from) continue;
    const close = runs.slice(index + 1).find((candidate) => candidate[0].length === run[0].length);
    if (close === undefined) throw new Error(`backticks that are not closed: ${markdown}`);
    rest += `${plain.slice(from, run.index)} `;
    from = close.index + close[0].length;
  }
  return rest + plain.slice(from);
}

const harmless = [
  ['A plain sentence, with commas (and more).', 'A plain sentence, with commas (and more).'],
  ['Use `map.get(key)` here.', 'Use `map.get(key)` here.'],
  ['a < b && c > d', 'a &lt; b &amp;&amp; c &gt; d'],
  ['snake_case and 2 * 3', 'snake\\_case and 2 \\* 3'],
  ['- one\n* two\n1. three', '- one\n- two\n1. three'],
  ['**Impact:** it fails', '**Impact:** it fails'],
  ['# no heading', '\\# no heading'],
  ['one\n===\ntwo\n---', 'one\n\\===\ntwo\n\\---'],
  ['100 % and 50% of it!', '100 % and 50% of it!'],
  ['    indented', 'indented'],
  ['an unclosed ` backtick', 'an unclosed &#96; backtick'],
  ['a | b', 'a \\| b'],
] as const;

const wrapped = [
  ['ping @root now', 'ping `@root` now'],
  ['(see @all).', '(see `@all`).'],
  ['mail a@b.example', 'mail `a@b.example`'],
  ['closes #12 and group/p!3', 'closes `#12` and `group/p!3`'],
  ['~bug ~"two words" %v1 $5 &7', '`~bug` `~"two` words" `%v1` `$5` `&7`'],
  ['&#64;root', '`&#64;root`'],
  ['[issue:1] [[page]] *iteration:3', '`[issue:1]` `[[page]]` `*iteration:3`'],
  ['https://evil.example/x?d=1', '`https://evil.example/x?d=1`'],
  ['[click](https://evil.example)', '`[click](https://evil.example`)'],
  ['![x](https://evil.example/p.png)', '`![x](https://evil.example/p.png`)'],
  ['<https://evil.example>', '`<https://evil.example>`'],
  ['www.evil.example', '`www.evil.example`'],
  ['javascript:alert(1)', '`javascript:alert(1`)'],
  ['::include{file=x}', '`::include{file=x}`'],
  [':tada:', '`:tada:`'],
  ['PROJ-12', '`PROJ-12`'],
  ['commit deadbeef1', 'commit `deadbeef1`'],
  ['$`x^2`$', '`$x^2$`'],
  ['/merge', '`/merge`'],
  ['  /MERGE now', '`/MERGE` now'],
  ['- /close', '- `/close`'],
  ['%{project_path}', '`%{project_path}`'],
] as const;

describe('neutraliseText', () => {
  it.each(harmless)('keeps %j readable', (text, expected) => {
    expect(neutraliseText(text)).toBe(expected);
  });

  it.each(wrapped)('shows %j as code', (text, expected) => {
    expect(neutraliseText(text)).toBe(expected);
  });

  it('shows a fence inside a quote, without its language', () => {
    const text = 'Before\n```mermaid\ngraph LR\n/merge\n```\nafter';

    expect(neutraliseText(text)).toBe('Before\n\n> ```\n> graph LR\n> /merge\n> ```\n\nafter');
  });

  it('takes a fence that is not closed to the end', () => {
    expect(neutraliseText('~~~\n````\n/close')).toBe('> `````\n> ````\n> /close\n> `````');
  });

  it('shows invisible characters by their code points', () => {
    expect(neutraliseText('a\u202eb \u{e0041}\u{e0042}c')).toBe('a‹U+202E›b ‹U+E0041 and 1 more›c');
  });

  it('leaves no comment of HTML in which a marker could stand', () => {
    for (const text of ['<!-- drydock:x -->', '`<!-- drydock:x -->`', '```\n<!-- drydock:x -->\n```'])
      expect(neutraliseText(text)).not.toContain('<!--');
  });

  it('runs no command of either generation of GitLab, wherever it stands', () => {
    const places = [
      (line: string) => line,
      (line: string) => `text\n${line}`,
      (line: string) => `text\r${line}`,
      (line: string) => `\r${line}`,
      (line: string) => line.toUpperCase(),
      (line: string) => `\`\`\`\`\n\`\`\`\n${line}\n\`\`\`\``,
      (line: string) => `\`\`\`\nopen\n${line}`,
      (line: string) => `<details>\n\n${line}\n\n</details>`,
      (line: string) => `>>>\n${line}`,
      (line: string) => `> quote\n${line}`,
      (line: string) => `- item\n${line}`,
      (line: string) => `   ${line}`,
      (line: string) => `\t${line}`,
      (line: string) => `\u200b${line}`,
      (line: string) => `<!--\n-->\n${line}`,
      (line: string) => `&#47;${line.slice(1)}`,
      (line: string) => `| a |\n|---|\n${line}`,
      (line: string) => `\`\n${line}\n\``,
      (line: string) => `text\u2028${line}`,
    ];
    for (const name of quickActionNames) {
      for (const place of places) {
        const markdown = neutraliseText(place(`/${name} @root`));
        expect(extractByRegExp(markdown).actions).toEqual([]);
        expect(extractByMarkdown(markdown).actions).toEqual([]);
      }
    }
  });

  it('leaves nothing live outside code, whatever comes in', () => {
    const pieces = fc.constantFrom(
      ...['@all', '#1', '!2', '~x', '%y', '$3', '&4', '/merge', '\n/merge', '\r/close', 'http://e.example', '![a](b)'],
      ...['[a]: http://e.example', '<img src=x>', '<!--', '-->', '`', '``', '```', '\n```\n', '~~~', '>>>', '\n', ' '],
      ...[
        '\\',
        '*',
        '**',
        '_',
        '|',
        '- ',
        '1. ',
        '# ',
        '$$',
        '[[',
        ']]',
        '](',
        '\u202e',
        '\u{e0041}',
        'www.e.example',
        ':x:',
      ],
      ...['$`', '`$', '&#64;', '&commat;', '\t', '    ', '::', 'word', 'A-1', 'deadbeef', '<a href="x">', '</details>'],
    );
    const text = fc.array(fc.oneof({ weight: 4, arbitrary: pieces }, fc.string({ unit: anyCharacter, maxLength: 5 })), {
      maxLength: 25,
    });
    fc.assert(
      fc.property(text, (parts) => {
        const markdown = neutraliseText(parts.join(''));
        const rest = outsideCode(markdown).replace(/&(?:#96|lt|gt|amp);/g, ' ');

        expect(markdown.split('\n').every((line) => !/^\s*\//.test(line))).toBe(true);
        expect(rest).not.toMatch(/@|<|>|:\/\/|\bwww\.|#\d|!\d|(?<!\\)!?\[|\$|~|\^|::/);
        expect(markdown).not.toContain('<!--');
        expect(extractByRegExp(markdown).actions).toEqual([]);
        expect(extractByMarkdown(markdown).actions).toEqual([]);
        expect(markdown).not.toMatch(/[\u202e\u{e0041}\r]/u);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('neutraliseLine', () => {
  it('makes one line of many, on which nothing begins a block', () => {
    expect(neutraliseLine('a\n# b\n- c\n```\nd')).toBe('a \\# b - c &#96;&#96;&#96; d');
  });
});

describe('tableCell', () => {
  it('escapes each bar once, also in code', () => {
    expect(tableCell(neutraliseLine('a | `b | c` \\|'))).toBe('a \\| `b \\| c` &bsol;\\|');
  });
});

describe('codeSpan', () => {
  it('holds backticks by a longer fence', () => {
    expect(codeSpan('a`b')).toBe('``a`b``');
    expect(codeSpan('`a')).toBe('`` `a ``');
    expect(codeSpan('``')).toBe('``` `` ```');
    expect(codeSpan(' ')).toBe('');
  });
});

describe('quotedCode', () => {
  it('takes more backticks than a call takes arguments', () => {
    expect(quotedCode(['` '.repeat(300_000)]).startsWith('> ```\n')).toBe(true);
  });

  it('shows lines as they are, at most two hundred', () => {
    const lines = Array.from({ length: 250 }, (_, index) => `/line ${index}`);

    const quoted = quotedCode(lines).split('\n');

    expect(quoted).toHaveLength(203);
    expect(quoted.slice(0, 2)).toEqual(['> ```', '> /line 0']);
    expect(quoted.at(-2)).toBe('> …');
  });
});
