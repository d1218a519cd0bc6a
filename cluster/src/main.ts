import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { buildPrograms, builtPrograms, kubectlPath, removeCache, type Wanted } from './build-programs.ts';
import { showBuildProgress } from './build-progress.ts';
import { readState } from './cluster-state.ts';
import { layoutOf } from './layout.ts';
import { levels, programsOf, type Level } from './levels.ts';
import { defaultWorkshop } from './places.ts';
import { isAlive } from './proc.ts';
import { namesOnMachine } from './remove-cluster.ts';
import { clusterNames, defaultStateRoot, startCluster, stopCluster } from './start-cluster.ts';
import { whyNot } from './why-not.ts';

const usage = `usage: npm run -s cluster -- <command> [--name NAME]
  up [${levels.join('|')}] [--fresh]   starts a cluster, or says that it is up; builds what is missing
  down [--all]             ends it and removes everything of it
  status                   lists the clusters of this user
  kubectl [--name NAME] -- ARGUMENTS
  build [level]            builds the programs of this level and those below, and starts nothing
  clean                    removes what was built
`;

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
const signal = interrupted.signal;
const workshop = defaultWorkshop(process.env);
const say = (text: string) => process.stderr.write(`${text}\n`);

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        name: { type: 'string', default: 'dev' },
        fresh: { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return process.exit(2);
  }
}

const { values, positionals } = readArguments();
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const [command = '', ...rest] = positionals;

function wantedLevel(): Level {
  const [word = 'full'] = rest;
  const level = levels.find((known) => known === word);
  if (level === undefined || rest.length > 1)
    throw new Error(`no such level: ${rest.join(' ')}. There are: ${levels.join(', ')}`);
  return level;
}

async function build(wanted: Wanted): Promise<void> {
  using progress = showBuildProgress(process.stderr);
  await buildPrograms(workshop, wanted, { progress, signal });
}

async function up(level: Level): Promise<void> {
  const reason = whyNot(level);
  if (reason !== null) throw new Error(`a cluster of the level ${level} cannot run here: ${reason}`);
  await build(programsOf(level));
  const startedMs = performance.now();
  const cluster = await startCluster({
    name: values.name,
    level,
    programs: builtPrograms(workshop, programsOf(level)),
    signal,
    isFresh: values.fresh,
    isKept: true,
    onProgress: say,
  });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  say(
    cluster.isNew ? `${cluster.name} is up (${level}), after ${seconds} s` : `${cluster.name} is up already (${level})`,
  );
  say(`export KUBECONFIG=${cluster.kubeconfigPath}`);
}

async function down(): Promise<void> {
  const names = values.all ? namesOnMachine(defaultStateRoot()) : [values.name];
  if (names.length === 0) say('there is no cluster');
  for (const name of names) say((await stopCluster(name, signal)) ? `${name} is gone` : `there was no cluster ${name}`);
}

function status(): void {
  const names = clusterNames();
  if (names.length === 0) say('no cluster; make cluster starts one');
  for (const name of names) {
    const { stateFile, kubeconfig } = layoutOf(name, 'full', defaultStateRoot());
    const state = readState(stateFile);
    const ended = Object.entries(state?.processes ?? {}).filter(([, id]) => !isAlive(id));
    const condition =
      state === null
        ? 'broken'
        : ended.length > 0
          ? `broken: ended are ${ended.map(([part]) => part).join(', ')}`
          : state.phase;
    process.stdout.write(`${name}\t${state?.level ?? '?'}\t${condition}\t${kubeconfig}\n`);
  }
}

async function kubectl(): Promise<void> {
  const { kubeconfig } = layoutOf(values.name, 'full', defaultStateRoot());
  if (!existsSync(kubeconfig)) throw new Error(`there is no cluster ${values.name}`);
  const child = spawn(kubectlPath(), ['--kubeconfig', kubeconfig, ...rest], { stdio: 'inherit' });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

const commands: Readonly<Record<string, () => Promise<void> | void>> = {
  up: () => up(wantedLevel()),
  down,
  status,
  kubectl,
  // All of a machine's tests: those of the level full also start the other kind of node.
  build: () => build(levels.slice(0, levels.indexOf(wantedLevel()) + 1).flatMap(programsOf)),
  clean: () => removeCache(workshop.cacheRoot),
};

try {
  const chosen = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (chosen === undefined) {
    process.stderr.write(usage);
    process.exitCode = 2;
  } else {
    await chosen();
  }
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = signal.aborted ? 130 : 1;
}
