import { readFile, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { aGitRepository, type GitRepositoryFixture } from '@drydock/testkit';
import { ObjectReader } from './object-reader.ts';

const never = new AbortController().signal;
const options = { maxBytes: 1_000_000, signal: never };

function readerOf(fixture: GitRepositoryFixture): ObjectReader {
  return new ObjectReader({ repo: { gitDir: fixture.gitDir, searchPath: process.env['PATH'] ?? '' } });
}

function looseFile(fixture: GitRepositoryFixture, oid: string): string {
  return join(fixture.gitDir, 'objects', oid.slice(0, 2), oid.slice(2));
}

describe('ObjectReader', () => {
  it('reads blobs by id and by path', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ 'a/b.txt': 'one\ntwo', empty: '', bytes: Buffer.from([0, 255, 10]) });
    await using reader = readerOf(fixture);

    const byPath = await reader.read({ revision, path: 'a/b.txt' }, options);
    const byId = byPath.kind === 'found' ? await reader.read(byPath.oid, options) : null;
    const byRef = await reader.read({ revision: 'refs/heads/main', path: 'bytes' }, options);
    const empty = await reader.read({ revision, path: 'empty' }, options);

    expect(byPath).toMatchObject({ kind: 'found', type: 'blob', bytes: 7, content: Buffer.from('one\ntwo') });
    expect(byId).toEqual(byPath);
    expect(byRef).toMatchObject({ content: Buffer.from([0, 255, 10]) });
    expect(empty).toMatchObject({ bytes: 0, content: Buffer.alloc(0) });
  });

  it.each([
    ...['with space', ' lead and trail ', 'tab\there', 'line\nfeed', 'a missing\nb', 'ünï/日本', '"quoted"', '-dash'],
    ...[':colon', 'a:b', '{brace', '@{1}', '..dots', 'back\\slash', `${'long/'.repeat(300)}x`],
  ])('finds the path %j, and misses it where it is not', async (path) => {
    await using fixture = await aGitRepository();
    const without = await fixture.commit({ other: '' });
    const revision = await fixture.commit({ [path]: 'here' });
    await using reader = readerOf(fixture);

    const missed = await reader.read({ revision: without, path }, options);
    const found = await reader.read({ revision, path }, options);

    expect(missed).toEqual({ kind: 'missing' });
    expect(found).toMatchObject({ kind: 'found', content: Buffer.from('here') });
  });

  it('goes on after what is missing', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ f: 'x', module: { submodule: 'a'.repeat(40) } });
    await using reader = readerOf(fixture);
    const missing = { kind: 'missing' };

    expect(await reader.read('f'.repeat(40), options)).toEqual(missing);
    expect(await reader.read({ revision: 'f'.repeat(40), path: 'f' }, options)).toEqual(missing);
    expect(await reader.read({ revision: 'refs/heads/none', path: 'f' }, options)).toEqual(missing);
    expect(await reader.read({ revision, path: 'module' }, options)).toEqual(missing);
    for (const path of ['./f', '../f', '.', '..', 'f\0', '\ud800', 'x'.repeat(5000)]) {
      expect(await reader.read({ revision, path }, options)).toEqual(missing);
    }
    expect(await reader.read({ revision, path: 'f' }, options)).toMatchObject({ kind: 'found' });
    expect(await reader.describe({ revision, path: '' }, never)).toMatchObject({ type: 'tree' });
  });

  it('does not read what is too large', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ big: 'x'.repeat(2_000_000), small: 'y' });
    await using reader = readerOf(fixture);

    const big = await reader.read({ revision, path: 'big' }, options);
    const small = await reader.read({ revision, path: 'small' }, options);
    const whole = await reader.read({ revision, path: 'big' }, { ...options, maxBytes: 2_000_000 });

    expect(big).toEqual({ kind: 'too-large', oid: expect.any(String), type: 'blob', bytes: 2_000_000 });
    expect(small).toMatchObject({ kind: 'found' });
    expect(whole).toMatchObject({ kind: 'found', bytes: 2_000_000 });
  });

  it('answers many requests at once, each with its own object', async () => {
    await using fixture = await aGitRepository();
    const names = Array.from({ length: 200 }, (_, index) => `file-${index}`);
    const revision = await fixture.commit(Object.fromEntries(names.map((name) => [name, name.repeat(100)])));
    await using reader = readerOf(fixture);

    const read = await Promise.all(names.map((path) => reader.read({ revision, path }, options)));

    expect(read.map((each) => (each.kind === 'found' ? each.content.toString() : each.kind))).toEqual(
      names.map((name) => name.repeat(100)),
    );
  });

  it('survives a broken object', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ broken: randomBytes(10_000), whole: 'y' });
    const oid = (await fixture.git(['rev-parse', `${revision}:broken`])).toString().trim();
    const stored = await readFile(looseFile(fixture, oid));
    await rm(looseFile(fixture, oid));
    await writeFile(looseFile(fixture, oid), stored.subarray(0, 5_000));
    await using reader = readerOf(fixture);

    const broken = reader.read({ revision, path: 'broken' }, options);

    await expect(broken).rejects.toMatchObject({ kind: 'terminal' });
    expect(await reader.read({ revision, path: 'whole' }, options)).toMatchObject({ kind: 'found' });
  });

  it('fetches nothing that a partial clone lacks, and goes on', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ gone: 'x', here: 'y' });
    const oid = (await fixture.git(['rev-parse', `${revision}:gone`])).toString().trim();
    await fixture.git(['config', 'extensions.partialClone', 'origin']);
    await fixture.git(['config', 'core.repositoryFormatVersion', '1']);
    await fixture.git(['config', 'remote.origin.promisor', 'true']);
    await fixture.git(['config', 'remote.origin.url', 'http://127.0.0.1:9/x.git']);
    await rm(looseFile(fixture, oid));
    await using reader = readerOf(fixture);

    expect(await reader.read({ revision, path: 'gone' }, options)).toEqual({ kind: 'missing' });
    expect(await reader.read({ revision, path: 'here' }, options)).toMatchObject({ kind: 'found' });
  });

  it('takes no name but full ids and full refs', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ f: 'x' });
    await using reader = readerOf(fixture);
    const malformed = { code: 'request.malformed' };

    await expect(reader.read('main', options)).rejects.toMatchObject(malformed);
    await expect(reader.read({ revision: 'HEAD', path: 'f' }, options)).rejects.toMatchObject(malformed);
    await expect(reader.read(revision.slice(0, 12), options)).rejects.toMatchObject(malformed);
    await expect(reader.read({ revision: `${revision}^`, path: 'f' }, options)).rejects.toMatchObject(malformed);
  });

  it('gives up one read and goes on with the next', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ f: 'x'.repeat(500_000) });
    await using reader = readerOf(fixture);
    const controller = new AbortController();
    const reads = [
      reader.read({ revision, path: 'f' }, { ...options, signal: controller.signal }),
      reader.read({ revision, path: 'f' }, options),
    ] as const;
    controller.abort();

    await expect(reads[0]).rejects.toMatchObject({ kind: 'transient', code: 'aborted' });
    expect(await reads[1]).toMatchObject({ kind: 'found', bytes: 500_000 });
  });

  it('reads a SHA-256 repository', async () => {
    await using fixture = await aGitRepository({ objectFormat: 'sha256' });
    const revision = await fixture.commit({ f: 'x' });
    await using reader = readerOf(fixture);

    const read = await reader.read({ revision, path: 'f' }, options);

    expect(read).toMatchObject({ kind: 'found', oid: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  it('gives up what waits when it is disposed of', async () => {
    await using fixture = await aGitRepository();
    const revision = await fixture.commit({ f: 'x' });
    const reader = readerOf(fixture);
    const read = reader.read({ revision, path: 'f' }, options);
    const settled = read.catch((error: unknown) => error);

    await reader[Symbol.asyncDispose]();

    expect(await settled).toMatchObject({ code: 'aborted' });
  });
});
