import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, truncateSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { buildPrograms, builtPrograms, type BuildProgress, type Wanted } from './build-programs.ts';
import type { Workshop } from './places.ts';
import type { ToolModule } from './programs.ts';
import { run } from './run.ts';

const signal = AbortSignal.timeout(120_000);
const silent: BuildProgress = { begin: () => undefined, end: () => undefined, say: () => undefined };

const tools: ToolModule = {
  name: 'runc',
  modulePath: 'example.com/tools',
  programs: ['one', 'two'].map((name) => ({
    name,
    goPackage: `example.com/tools/${name}`,
    stamp: '-X main.version={version}',
    check: { args: ['--version'] },
    expectedSeconds: 1,
  })),
};
const wanted: Wanted = [
  { module: 'runc', name: 'one' },
  { module: 'runc', name: 'two' },
];

/** A `go` that "builds" a script which tells the stamped version, and writes down what it built. */
const fakeGo = (builds: string, before: string) => `#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in -o) output=$2; shift ;; -ldflags) version=\${2##*version=}; shift ;; esac
  package=$1; shift
done
printf '#!/bin/sh\\necho version %s\\n' "$version" > "$output"
echo "$package" >> "${builds}"
${before}
chmod 755 "$output"
`;

interface TestWorkshop extends Workshop, AsyncDisposable {
  readonly folder: string;
  builds(): readonly string[];
}

/** `before`: what the fake compiler does when half of its output is there. */
async function aWorkshop(before = ''): Promise<TestWorkshop> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-workshop-'));
  await mkdir(join(folder, 'tools', 'runc'), { recursive: true });
  await writeFile(join(folder, 'tools', 'runc', 'go.mod'), 'module x\n\nrequire example.com/tools v1.2.3\n');
  await writeFile(join(folder, 'tools', 'runc', 'go.sum'), '');
  await writeFile(join(folder, 'go'), fakeGo(join(folder, 'builds'), before), { mode: 0o755 });
  return {
    folder,
    toolsFolder: join(folder, 'tools'),
    cacheRoot: join(folder, 'cache'),
    modules: [tools],
    go: join(folder, 'go'),
    builds: () =>
      existsSync(join(folder, 'builds')) ? readFileSync(join(folder, 'builds'), 'utf8').trim().split('\n') : [],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const build = (workshop: Workshop) => buildPrograms(workshop, wanted, { progress: silent, signal });
const versionOf = async (workshop: Workshop, name: string) =>
  (await run(builtPrograms(workshop, wanted).path(name), ['--version'])).stdout;

describe('buildPrograms', () => {
  it('builds what is wanted, with its version, and nothing the second time', async () => {
    await using workshop = await aWorkshop();

    await build(workshop);
    await build(workshop);

    expect(await versionOf(workshop, 'two')).toBe('version 1.2.3\n');
    expect(workshop.builds()).toEqual(['example.com/tools/one', 'example.com/tools/two']);
  });

  it('builds again only what was damaged', async () => {
    await using workshop = await aWorkshop();
    await build(workshop);
    truncateSync(builtPrograms(workshop, wanted).path('two'), 5);

    await build(workshop);

    expect(await versionOf(workshop, 'two')).toBe('version 1.2.3\n');
    expect(workshop.builds()).toEqual(['one', 'two', 'two'].map((name) => `example.com/tools/${name}`));
  });

  it('builds into another place when the pinned versions change', async () => {
    await using workshop = await aWorkshop();
    await build(workshop);
    const before = builtPrograms(workshop, wanted);
    await writeFile(join(workshop.toolsFolder, 'runc', 'go.mod'), 'require example.com/tools v1.2.4\n');

    await build(workshop);

    expect(await versionOf(workshop, 'one')).toBe('version 1.2.4\n');
    expect(builtPrograms(workshop, wanted).key).not.toBe(before.key);
  });

  it('builds each program once when two build at once', async () => {
    await using workshop = await aWorkshop('sleep 0.2');

    await Promise.all([build(workshop), build(workshop)]);

    expect(workshop.builds()).toHaveLength(2);
  });

  it('goes on where a builder was killed', async () => {
    await using workshop = await aWorkshop('[ -e "$0.once" ] || { : > "$0.once"; kill -9 $PPID; exit 1; }');
    const { toolsFolder, cacheRoot, go } = workshop;
    const program = `import { buildPrograms } from ${JSON.stringify(join(import.meta.dirname, 'build-programs.ts'))};
      const silent = { begin() {}, end() {}, say() {} };
      const workshop = ${JSON.stringify({ toolsFolder, cacheRoot, go, modules: [tools] })};
      await buildPrograms(workshop, ${JSON.stringify(wanted)}, { progress: silent, signal: new AbortController().signal });`;
    const killed = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' });
    const [, endedBy] = (await once(killed, 'exit')) as [number | null, string | null];

    await build(workshop);

    expect(endedBy).toBe('SIGKILL');
    expect(await versionOf(workshop, 'one')).toBe('version 1.2.3\n');
    expect(workshop.builds()).toEqual(['one', 'one', 'two'].map((name) => `example.com/tools/${name}`));
  });

  it('keeps no program that does not tell its version', async () => {
    await using workshop = await aWorkshop('printf "#!/bin/sh\\nexit 0\\n" > "$output"');

    await expect(build(workshop)).rejects.toThrow('does not tell its version, 1.2.3');
    expect(() => builtPrograms(workshop, wanted).path('one')).toThrow('one: not in');
  });
});
