import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** Who uses these must keep the notice, and nothing else. Another one is a decision: docs/adr/0011. */
const permissive = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'Unlicense',
]);

/** Packages that name their licence and leave its text out, with the holder that their manifest names. */
const withoutText = new Map([
  ['standardwebhooks', 'Standard Webhooks'],
  ['stream-buffers', 'nobody: it is in the public domain'],
]);

const mitText = (holder: string) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const unlicenseText = `This is free and unencumbered software released into the public domain.

Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either in source code form or as a compiled binary, for any purpose, commercial or non-commercial, and by any means.

In jurisdictions that recognize copyright laws, the author or authors of this software dedicate any and all copyright interest in the software to the public domain. We make this dedication for the benefit of the public at large and to the detriment of our heirs and successors. We intend this dedication to be an overt act of relinquishment in perpetuity of all present and future rights to this software under copyright law.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

For more information, please refer to <https://unlicense.org/>`;

/** What a licence says where the package leaves it out. */
const texts = new Map([
  ['MIT', mitText],
  ['Unlicense', () => unlicenseText],
]);

const Manifest = z.object({ name: z.string(), version: z.string(), license: z.string().optional() });

/** A package of others that is part of a bundle. */
export interface ThirdParty {
  readonly name: string;
  readonly version: string;
  /** As SPDX says it. */
  readonly license: string;
  /** Of its licence and notice files. */
  readonly text: string;
}

/** Folders of the packages that these files of a bundle come from, each once. Paths are relative, with slashes. */
export function packageFolders(files: Iterable<string>): string[] {
  const folders = new Set<string>();
  for (const file of files) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file);
    if (match?.[1] !== undefined) folders.add(match[1]);
  }
  return [...folders].sort();
}

/** Reads what a package allows. Throws an `Error` for one that does not say so, or asks for more than a notice. */
export function readThirdParty(folder: string): ThirdParty {
  const { name, version, license } = Manifest.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  if (license === undefined) throw new Error(`${name} ${version} names no licence`);
  const choices = license.replace(/^\((.*)\)$/, '$1').split(' OR ');
  if (!choices.some((choice) => permissive.has(choice))) {
    throw new Error(
      `${name} ${version} is under ${license}, which is not on the list of scripts/package/third-party.ts`,
    );
  }
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)(\.|-|$)/i.test(file))
    .sort();
  if (files.length === 0) {
    const holder = withoutText.get(name);
    const textOf = texts.get(license);
    if (holder === undefined || textOf === undefined)
      throw new Error(`${name} ${version} comes without the text of its licence`);
    return { name, version, license, text: textOf(holder) };
  }
  const text = files
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim())
    .join('\n\n');
  return { name, version, license, text };
}

/** The file that goes with a bundle. */
export function renderNotices(packages: readonly ThirdParty[]): string {
  const head = 'This package contains the following packages of others, under the licences that follow each name.\n';
  const parts = packages.map(({ name, version, license, text }) => {
    const title = `${name} ${version} (${license})`;
    return `\n${title}\n${'-'.repeat(title.length)}\n\n${text}\n`;
  });
  return head + parts.join('');
}
