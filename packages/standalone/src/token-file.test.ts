import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError } from '@drydock/core';
import { writeTokenFile } from './token-file.ts';

describe('writeTokenFile', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drydock-token-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('keeps a new token each time where only its user reads', async () => {
    const file = join(folder, 'control-token');
    await writeFile(file, 'an older one', { mode: 0o644 });

    const { token } = await writeTokenFile(file);

    expect(token).toMatchObject({ name: 'dev', role: 'admin' });
    expect(await readFile(file, 'utf8')).toBe(`${token.token.reveal()}\n`);
    expect(token.token.reveal()).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('follows no link that stands in its place', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await writeFile(elsewhere, 'theirs');
    await symlink(elsewhere, join(folder, 'control-token'));

    await writeTokenFile(join(folder, 'control-token'));

    expect(await readFile(elsewhere, 'utf8')).toBe('theirs');
  });

  it('says which file it cannot write', async () => {
    const file = join(folder, 'missing', 'control-token');

    await expect(writeTokenFile(file)).rejects.toThrow(ConfigError);
    await expect(writeTokenFile(file)).rejects.toThrow(`The file ${file}`);
  });
});
