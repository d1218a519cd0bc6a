import type { PauseScope } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import type { ClientFlags } from '../client/client-settings.ts';
import type { ControlClient } from '../client/control-client.ts';
import { findScopes, parseScope } from '../client/pause-scope.ts';
import { UsageError } from '../client/usage-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { cellText } from '../print/cell-text.ts';
import { scopeName } from '../print/task-resource.ts';
import { writeOut } from '../print/write-out.ts';
import { count } from '../report/report-words.ts';
import { confirmChange } from './confirm-change.ts';
import { runOnServer, type ServerAct } from './server-verb.ts';

/** Flags of `drydock pause` and `drydock resume`. */
export interface PauseFlags extends ClientFlags {
  readonly all?: boolean;
  readonly why?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** `drydock pause`. */
export async function pause(texts: readonly string[], flags: PauseFlags, ports: CliPorts): Promise<void> {
  const why = flags.why ?? 'no reason given';
  const change: PauseChange = {
    verb: 'Pause',
    participle: 'paused',
    // To stop all of the work of everybody is not to be typed by accident.
    isBold: (scope) => scope.kind === 'all',
    async apply(client, scope) {
      if (scope.kind === 'forge') await warnOfUnknownForge(client, scope.forge, ports);
      const { kind } = await client.pause(scope, why);
      return kind === 'paused' ? 'is paused; what runs goes on' : 'was paused before';
    },
  };
  await runOnServer(
    'pause',
    () => {
      if (why === '' || why.length > 200) throw new UsageError('--why wants 1 to 200 characters');
      return changePauses(change, texts, flags, ports);
    },
    flags,
    ports,
  );
}

/** `drydock resume`. */
export async function resume(texts: readonly string[], flags: PauseFlags, ports: CliPorts): Promise<void> {
  const change: PauseChange = {
    verb: 'Resume',
    participle: 'resumed',
    isBold: () => false,
    async apply(client, scope) {
      const { kind } = await client.resume(scope);
      return kind === 'resumed' ? 'goes on' : 'was not paused';
    },
  };
  await runOnServer(
    'resume',
    () => {
      const act = changePauses(change, texts, flags, ports);
      return async (client) => {
        const code = await act(client);
        if (flags.dryRun !== true) await tellPauses(client, ports);
        return code;
      };
    },
    flags,
    ports,
  );
}

/** It may be the forge's first pause before its first event, or a slip of the fingers that would pause nothing. */
async function warnOfUnknownForge(client: ControlClient, forge: string, { stderr }: CliPorts): Promise<void> {
  const { tasks } = await client.tasks({ forge, limit: 1, cursor: null });
  if (tasks.length > 0) return;
  const { projects } = await client.projects({ limit: 500, cursor: null });
  const known = [...new Set(projects.map((project) => project.forge))].slice(0, 10);
  if (known.includes(forge)) return;
  const others = known.length === 0 ? '' : ` Known are: ${known.map(cellText).join(', ')}.`;
  stderr.write(`No project of a forge ${cellText(forge)} is known: is that its name?${others}\n`);
}

interface PauseChange {
  readonly verb: string;
  readonly participle: string;
  isBold(scope: PauseScope): boolean;
  apply(client: ControlClient, scope: PauseScope): Promise<string>;
}

function changePauses(change: PauseChange, texts: readonly string[], flags: PauseFlags, ports: CliPorts): ServerAct {
  if (flags.all === true && texts.length > 0) throw new UsageError('name forges and projects, or say --all, not both');
  if (flags.all !== true && texts.length === 0) throw new UsageError('say which: a forge, a project, or --all');
  const named = (flags.all === true ? ['all'] : texts).map((text) => ({ text, scope: parseScope(text) }));
  return async (client) => {
    const scopes = new Map<string, PauseScope>();
    let code: number = exitCodes.ok;
    for (const { text, scope } of named) {
      const found = await findScopes(client, scope);
      for (const one of found) scopes.set(scopeName(one), one);
      if (found.length > 0) continue;
      ports.stderr.write(
        `No project ${cellText(text)} is known: none of its merge requests came by. By its number it can be named all the same: gitlab:42.\n`,
      );
      code = exitCodes.notFound;
    }
    const names = [...scopes.keys()];
    if (flags.dryRun === true) {
      await writeOut(ports.stdout, names.map((name) => `${name} would be ${change.participle}\n`).join(''));
      return code;
    }
    const isBulk = named.some(({ scope }) => scope.kind === 'project' && scope.isPattern);
    const isBold = [...scopes.values()].some((scope) => change.isBold(scope));
    if (names.length > 0 && (isBulk || isBold)) {
      const question = isBold ? `${change.verb} everything?` : `${change.verb} ${count(names.length, 'project')}?`;
      if (!(await confirmChange(question, ports, flags.yes === true))) return exitCodes.failed;
    }
    for (const [name, scope] of scopes)
      await writeOut(ports.stdout, `${name === 'all' ? 'everything' : name} ${await change.apply(client, scope)}\n`);
    return code;
  };
}

/** A project goes on only when neither it nor what it belongs to is paused. */
async function tellPauses(client: ControlClient, { stderr }: CliPorts): Promise<void> {
  const { pauses } = await client.pauses();
  if (pauses.length === 0) return;
  const shown = pauses.slice(0, 10).map(({ scope }) => scopeName(scope));
  const more = pauses.length > shown.length ? ' …' : '';
  stderr.write(`Still paused: ${shown.join(', ')}${more} (drydock get pauses)\n`);
}
