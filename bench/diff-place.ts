/**
 * `diff.place`: parses a diff of 200,000 rows and places a claim on every changed one, in a process of its own, so that
 * the peak is its own. The bytes that git wrote are read before the time begins.
 * Peer: `git diff` writing the same diff to nowhere.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aGitRepository, gitDiffOutput, type GitRepositoryFixture } from '@drydock/testkit';
import { z } from 'zod';
import type { Benchmark } from './run.ts';

const rounds = 5;
const editedFiles = 40;
const newFiles = 100;

/** 40 edited files of 2,500 rows and 100 new ones of 1,000. */
async function aLargeChange(
  repository: GitRepositoryFixture,
): Promise<{ readonly base: string; readonly head: string }> {
  const line = (file: number, index: number) =>
    `  const value${index} = compute(${file}, ${index}); // and some more text`;
  const content = (file: number, count: number, isEdited: boolean) =>
    Array.from({ length: count }, (_, index) =>
      isEdited && index % 4 === 0 ? `${line(file, index)} edited\n` : `${line(file, index)}\n`,
    ).join('');
  const edited = (isEdited: boolean) =>
    Array.from({ length: editedFiles }, (_, file) => [`src/edited-${file}.ts`, content(file, 2000, isEdited)] as const);
  const added = Array.from(
    { length: newFiles },
    (_, file) => [`src/new-${file}.ts`, content(file, 1000, false)] as const,
  );
  const base = await repository.commit(edited(false));
  const head = await repository.commit([...edited(true), ...added]);
  return { base, head };
}

const Measured = z.object({ seconds: z.number(), peakMb: z.number(), rows: z.number(), placed: z.number() });

async function runProcess(command: string, args: readonly string[], wantsOutput: boolean): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', wantsOutput ? 'pipe' : 'ignore', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}`);
  return Buffer.concat(chunks).toString();
}

const diffPlace: Benchmark = {
  name: 'diff.place',
  run: async ({ inPairs, median }) => {
    await using repository = await aGitRepository();
    const { base, head } = await aLargeChange(repository);
    const output = await gitDiffOutput(repository, base, head);
    const folder = await mkdtemp(join(tmpdir(), 'drydock-bench-'));
    const [raw, patch] = [join(folder, 'raw'), join(folder, 'patch')];
    await Promise.all([writeFile(raw, output.raw), writeFile(patch, output.patch)]);
    const child = new URL('diff-place-process.ts', import.meta.url).pathname;
    const diff = ['-C', repository.gitDir, 'diff', '--find-renames=30%', '--full-index', base, head];
    try {
      const seen = await inPairs({
        name: 'diff.place',
        rounds,
        ours: async () => Measured.parse(JSON.parse(await runProcess(process.execPath, [child, raw, patch], true))),
        peer: async () => {
          const start = performance.now();
          await runProcess('git', diff, false);
          return (performance.now() - start) / 1000;
        },
      });
      const value = median(seen.ours.map(({ seconds }) => seconds));
      const peerValue = median(seen.peer);
      const peakMb = Math.max(...seen.ours.map((measured) => measured.peakMb));
      return [{ name: 'diff.place', value, unit: 's', peer: 'git diff', peerValue, ratio: value / peerValue, peakMb }];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** Seconds to parse and place; the peak is that of the whole process, Node and the patch included. */
export const benchmarks: readonly Benchmark[] = [diffPlace];
