import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { attributeFolders, readAttributes, type AttributesFile } from './git-attributes.ts';

const names = ['linguist-generated', 'linguist-vendored', 'diff', 'text', 'merge'];

const files: readonly AttributesFile[] = [
  {
    folder: '',
    text: [
      '# a comment',
      '[attr]made linguist-generated -diff',
      '*.gen.js linguist-generated',
      '/only-root.txt linguist-vendored',
      'lib/** linguist-vendored=true',
      'lib/own/** -linguist-vendored',
      'docs/*.md linguist-generated=false',
      '*.bin binary',
      '*.made made',
      '"with space.txt" linguist-generated',
      'folder/ linguist-generated',
      '*.[ch] diff=cpp',
      'a?c.txt !linguist-generated linguist-vendored',
      '{x,y}.txt linguist-generated',
      'deep/**/end.js linguist-generated',
      '!negative linguist-generated',
      '\tindented.js linguist-generated\r',
    ].join('\n'),
  },
  { folder: 'src/', text: '*.gen.js linguist-generated=no\nsub/x.js linguist-generated\n' },
];

const paths = [
  'a.gen.js',
  'x/y/a.gen.js',
  'src/a.gen.js',
  'src/deep/a.gen.js',
  'only-root.txt',
  'x/only-root.txt',
  'lib/a.js',
  'lib/own/a.js',
  'docs/a.md',
  'docs/x/a.md',
  'a.bin',
  'x/a.bin',
  'a.made',
  'with space.txt',
  'folder/a.js',
  'a.c',
  'abc.txt',
  'x.txt',
  '{x,y}.txt',
  'deep/end.js',
  'deep/a/b/end.js',
  'src/sub/x.js',
  'sub/x.js',
  'negative',
  'indented.js',
];

describe('readAttributes', () => {
  it('says what git says', () => {
    const attributes = readAttributes(files);

    const ours = paths.map((path) => [path, ...names.map((name) => attributes(path, name))]);

    expect(ours).toEqual(askGit());
  });

  it('knows nothing without a file', () => {
    expect(readAttributes([])('a.js', 'linguist-generated')).toBeUndefined();
  });

  it('is not kept busy by a pattern', () => {
    const text = `${'*a'.repeat(200)}b linguist-generated\n`.repeat(100);
    const before = process.cpuUsage();

    readAttributes([{ folder: '', text }])('a'.repeat(1000), 'linguist-generated');

    // Of the processor, which a busy machine does not lengthen: 10 ms, and years for one that goes back and forth.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(5000);
  });
});

describe('attributeFolders', () => {
  it('names every folder above the paths', () => {
    expect(attributeFolders(['a/b/c.js', 'd.js', 'a/e.js'])).toEqual(['', 'a/', 'a/b/']);
  });
});

/** The same question to git, in a checkout with these files. */
function askGit(): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'drydock-attributes-'));
  try {
    execFileSync('git', ['init', '-q', folder], { env: { PATH: process.env['PATH'] } });
    for (const file of files) {
      const path = join(folder, file.folder, '.gitattributes');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, file.text);
    }
    const output = execFileSync('git', ['check-attr', '-z', '--stdin', ...names], {
      cwd: folder,
      input: paths.join('\0') + '\0',
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
    });
    const fields = output.split('\0').slice(0, -1);
    const values = new Map<string, unknown>();
    for (let at = 0; at < fields.length; at += 3)
      values.set(`${fields[at]} ${fields[at + 1]}`, toValue(fields[at + 2]));
    return paths.map((path) => [path, ...names.map((name) => values.get(`${path} ${name}`))]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function toValue(text: string | undefined): unknown {
  if (text === 'set') return true;
  if (text === 'unset') return false;
  return text === 'unspecified' ? undefined : text;
}
