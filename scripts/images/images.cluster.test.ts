import { execFile } from 'node:child_process';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { root } from '../run-command.ts';
import { buildImages, type BuiltImage } from './build-images.ts';
import { imageNames, type ImageName } from './image-inputs.ts';

const run = promisify(execFile);
const buildMs = 1_200_000;

const Inspected = z.object({
  OCIv1: z.object({
    config: z.object({
      User: z.string(),
      Env: z.array(z.string()),
      Entrypoint: z.array(z.string()),
      Labels: z.record(z.string(), z.string()),
    }),
  }),
});
const Ended = z.object({ code: z.int(), stderr: z.string() });

/** Node alone is 125 MB. */
const mostBytes: Readonly<Record<ImageName, number>> = {
  server: 150e6,
  scheduler: 150e6,
  gateway: 200e6,
  agent: 170e6,
  preflight: 150e6,
};
/** What it says without settings, and what git it has. */
const starts: Readonly<Record<ImageName, { readonly says: RegExp; readonly git: readonly string[] }>> = {
  server: { says: /DRYDOCK_REDIS_URL \(not set\)/, git: [] },
  scheduler: { says: /DRYDOCK_REDIS_URL \(not set\)/, git: [] },
  gateway: { says: /DRYDOCK_GITLAB_TOKEN \(not set\)/, git: ['git-remote-http', 'git-remote-https'] },
  agent: { says: /DRYDOCK_RUN_TOKEN_FILE \(not set\)/, git: ['git-remote-http'] },
  preflight: { says: /wrong setting.*DRYDOCK_/, git: [] },
};
const programs = /(^|\/)(ba|da|z|k|a)?sh$|busybox|(^|\/)(perl|python[0-9.]*|env|apt|dpkg|npm|npx|curl|wget|nc)$/;

interface OpenedImage extends BuiltImage {
  readonly container: string;
  /** Where its files are seen. */
  readonly folder: string;
}
const opened = new Map<ImageName, OpenedImage>();

beforeAll(async () => {
  const images = await buildImages({ root, names: imageNames, signal: AbortSignal.timeout(buildMs) });
  for (const image of images) {
    const container = (await run('buildah', ['from', '--pull-never', `docker-archive:${image.archive}`])).stdout.trim();
    const folder = (await run('buildah', ['mount', container])).stdout.trim();
    opened.set(image.name, { ...image, container, folder });
  }
}, buildMs);

afterAll(async () => {
  for (const { container } of opened.values()) await run('buildah', ['rm', container]);
});

function image(name: ImageName): OpenedImage {
  const found = opened.get(name);
  if (found === undefined) throw new Error(`${name} was not built`);
  return found;
}

async function filesOf(name: ImageName): Promise<readonly string[]> {
  const { folder } = image(name);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => `${entry.parentPath.slice(folder.length)}/${entry.name}`);
}

/** Runs a command as the image's user would, without network, settings or terminal. */
async function runIn(name: ImageName, command: readonly string[]) {
  const { container } = image(name);
  try {
    await run('buildah', ['run', '--isolation', 'chroot', '--user', '10001:10001', container, '--', ...command]);
    return { code: 0, stderr: '' };
  } catch (error) {
    return Ended.parse(error);
  }
}

describe.each(imageNames)('the image of %s', (name) => {
  it('is built once for the same inputs', async () => {
    const steps: string[] = [];

    const [again] = await buildImages({
      root,
      names: [name],
      signal: AbortSignal.timeout(buildMs),
      onProgress: (step) => steps.push(step),
    });

    expect(again).toEqual({
      name,
      reference: image(name).reference,
      archive: image(name).archive,
    });
    // Another suite may be looking at them, too.
    expect(steps.filter((step) => !step.startsWith('waiting for process'))).toEqual([]);
  }, 60_000);

  it('starts its program as an ordinary user, and says what it is', async () => {
    const { stdout } = await run('buildah', ['inspect', '--type', 'image', image(name).reference]);
    const { config } = Inspected.parse(JSON.parse(stdout)).OCIv1;
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));

    expect(config.User).toBe('10001:10001');
    expect(config.Entrypoint).toEqual(['/usr/local/bin/node', '/app/main.js']);
    const memory = name === 'scheduler' ? ['NODE_OPTIONS=--max-semi-space-size=8'] : [];
    expect(config.Env.sort()).toEqual(['NODE_ENV=production', ...memory, 'PATH=/usr/local/bin:/usr/bin:/bin']);
    expect(config.Labels).toMatchObject({
      'org.opencontainers.image.title': `drydock-${name}`,
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'MIT',
      'org.opencontainers.image.source': expect.stringMatching(/^https:/),
      'org.opencontainers.image.revision': expect.any(String),
    });
  });

  it('is small', async () => {
    expect((await stat(image(name).archive)).size).toBeLessThan(mostBytes[name]);
  });

  it('holds no shell and no other tool, nothing with the rights of its owner, and no setting of who built it', async () => {
    const files = await filesOf(name);

    expect(files.filter((file) => programs.test(file))).toEqual([]);
    expect(files.filter((file) => /npmrc|apt\.conf|drydock-build|[.]test[.]|node_modules/.test(file))).toEqual([]);
    const { folder } = image(name);
    const modes = await Promise.all(files.map(async (file) => ((await stat(folder + file)).mode & 0o6000) === 0));
    expect(modes).not.toContain(false);
  });

  it('has the licences of all that is inside', async () => {
    const files = await filesOf(name);

    expect(files).toEqual(expect.arrayContaining(['/app/LICENSE', '/app/THIRD-PARTY-NOTICES']));
    expect(files).toContain('/usr/share/doc/libc6/copyright');
  });

  it('says what is missing when it is started without settings', async () => {
    const { code, stderr } = await runIn(name, ['/usr/local/bin/node', '/app/main.js']);

    expect(stderr).toMatch(starts[name].says);
    expect(code).toBe(78);
  });

  it('has the git that it needs, and no other', async () => {
    const files = await filesOf(name);
    const { git } = starts[name];

    const helpers = files.filter((file) => file.startsWith('/usr/lib/git-core/'));
    expect(helpers.sort()).toEqual(git.map((helper) => `/usr/lib/git-core/${helper}`));
    expect(files.includes('/usr/bin/git')).toBe(git.length > 0);
    if (git.length > 0) expect((await runIn(name, ['/usr/bin/git', '--version'])).code).toBe(0);
  });
});
