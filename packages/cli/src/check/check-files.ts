import { access } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { ConfigError, ReviewPolicy } from '@drydock/core';
import { checkConfig, parsePolicy, type ConfigKind } from '@drydock/policy';
import type { CliPorts } from '../cli-ports.ts';
import { exitCodes } from '../exit-codes.ts';
import { lookOf } from '../report/text-look.ts';
import { findRepository, listCommitted, type FoundRepository } from './find-repository.ts';
import { kindByName, readConfigFile, repositoryFileName } from './read-config-file.ts';
import { configCheckAsJson, renderConfigCheck, renderEffective, renderProblems } from './render-config-check.ts';
import type { CheckedFile } from './render-config-check.ts';

/** Flags of `drydock check-config`. */
export interface CheckFlags {
  readonly kind?: ConfigKind;
  readonly format: 'text' | 'json';
  readonly policy?: string;
  readonly show?: boolean;
}

type Ports = Pick<CliPorts, 'cwd' | 'environment' | 'stdin' | 'stdout' | 'stderr' | 'signal'>;

interface Surroundings {
  readonly flags: CheckFlags;
  readonly policy: ReviewPolicy;
  readonly repository: FoundRepository | null;
}

/** Checks files of settings and prints what there is to say. Returns the exit code. */
export async function checkFiles(named: readonly string[], flags: CheckFlags, ports: Ports): Promise<number> {
  const { cwd } = ports;
  const repository = await findRepository(cwd);
  const files = named.length > 0 ? named : await defaultFiles(repository?.root ?? cwd, cwd);
  const isPolicyNeeded = files.some((file) => kindOf(file, flags) === 'repository');
  const policyFile = isPolicyNeeded ? (flags.policy ?? ports.environment['DRYDOCK_POLICY_FILE']) : undefined;
  const policy = await readPolicy(policyFile, ports);
  const checked: CheckedFile[] = [];
  let isMissing = false;
  for (const file of files) {
    const read = await readConfigFile(file, ports);
    if (read.kind === 'read') checked.push(await checkOne(file, read.text, { flags, policy, repository }, ports));
    else {
      isMissing = true;
      ports.stderr.write(`${file} cannot be read: ${read.why}\n`);
    }
  }
  print(checked, flags, ports);
  if (files.length === 0 && flags.format === 'text') {
    ports.stdout.write(`There is no ${repositoryFileName} here, which is fine: the policy holds as it is.\n`);
  }
  if (isMissing) return exitCodes.failed;
  return checked.some(({ check }) => check.kind === 'invalid') ? exitCodes.config : exitCodes.ok;
}

async function defaultFiles(root: string, cwd: string): Promise<readonly string[]> {
  const names = [repositoryFileName, '.drydock.yml'];
  for (const name of names) {
    const file = join(root, name);
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (isThere) return [relative(cwd, file)];
  }
  return [];
}

function kindOf(file: string, { kind }: CheckFlags): ConfigKind {
  return kind ?? kindByName(file);
}

async function readPolicy(file: string | undefined, ports: Ports): Promise<ReviewPolicy> {
  if (file === undefined || file === '') return ReviewPolicy.parse({});
  const read = await readConfigFile(file, ports);
  if (read.kind === 'unreadable') throw new ConfigError(`The policy ${file} cannot be read: ${read.why}`);
  return parsePolicy(read.text, file);
}

async function checkOne(
  file: string,
  text: string,
  { flags, policy, repository }: Surroundings,
  ports: Ports,
): Promise<CheckedFile> {
  const configKind = kindOf(file, flags);
  const isOwn = repository !== null && resolve(ports.cwd, file) === join(repository.root, repositoryFileName);
  const searchPath = ports.environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const trackedPaths = isOwn ? await listCommitted(repository, searchPath, ports.signal) : null;
  const check = checkConfig(text, configKind, { policy, trackedPaths });
  const name = file === '-' ? '<stdin>' : file;
  if (check.kind === 'invalid' || basename(file) !== '.drydock.yml') return { file: name, configKind, text, check };
  const unread = {
    line: 1,
    column: 1,
    width: 1,
    path: '',
    message: `nobody reads it: its name must be ${repositoryFileName}`,
  };
  return { file: name, configKind, text, check: { ...check, warnings: [unread, ...check.warnings] } };
}

function print(
  checked: readonly CheckedFile[],
  { format, show }: CheckFlags,
  { stdout, stderr, environment }: Ports,
): void {
  if (format === 'json') {
    stdout.write(`${JSON.stringify({ v: 1, files: checked.map(configCheckAsJson) }, null, 2)}\n`);
    return;
  }
  const look = lookOf({ isTerminal: stdout.isTTY, columns: stdout.columns, environment });
  for (const one of checked) {
    if (show !== true || one.check.kind === 'invalid') {
      stdout.write(renderConfigCheck(one, look));
      continue;
    }
    if (one.check.warnings.length > 0) stderr.write(`${renderProblems(one, one.check.warnings, look)}\n`);
    stdout.write(renderEffective(one));
  }
}
