/** Parses the diff in the files it is given, places a claim on every changed row, and prints what that took. */
import { readFileSync } from 'node:fs';
import { findFileDiff, parseRawDiff, parseUnifiedDiff, placeLines, rowAt } from '@drydock/core';

const [rawFile = '', patchFile = ''] = process.argv.slice(2);
const raw = readFileSync(rawFile);
const patch = readFileSync(patchFile);

const start = performance.now();
const files = parseUnifiedDiff(patch, parseRawDiff(raw));
let rows = 0;
let placed = 0;
for (const file of files) {
  rows += file.rows.count;
  for (let index = 0; index < file.rows.count; index += 1) {
    const row = rowAt(file, index);
    if (row === undefined || row.kind === 'context') continue;
    const side = row.kind === 'added' ? 'new' : 'old';
    const line = row.newLine ?? row.oldLine ?? 0;
    const claim = { path: file.newPath, side, startLine: line, endLine: line } as const;
    if (placeLines(claim, findFileDiff(files, claim)).kind === 'inline') placed += 1;
  }
}
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ seconds, peakMb: process.resourceUsage().maxRSS / 1024, rows, placed }));
