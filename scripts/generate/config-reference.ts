import { existsSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { environmentName } from '@drydock/core';
import { z } from 'zod';

const processes = ['server', 'scheduler', 'gateway', 'agent', 'standalone', 'cli'] as const;

const intro = `<!-- Generated from packages/*/src/config.ts by scripts/generate.ts; \`make fix\` writes it again. -->

# Settings

Each process reads its settings from environment variables, once, at start. An empty variable counts as unset.
A wrong or missing one ends the process with a message that names every bad setting at once.
`;

/** The page of all settings: one table for each process that has a `config.ts`. */
export async function configReference(root: string): Promise<string> {
  using _named = nameTheMachine();
  const parts = [intro];
  for (const name of processes) {
    const file = join(root, 'packages', name, 'src', 'config.ts');
    if (!existsSync(file)) continue;
    const exported: unknown = await import(pathToFileURL(file).href);
    parts.push(`## ${name}\n\n${settingsTable(configIn(exported, file))}`);
  }
  const clientFile = join(root, 'packages', 'cli', 'src', 'client', 'client-config.ts');
  if (existsSync(clientFile)) {
    const exported: unknown = await import(pathToFileURL(clientFile).href);
    parts.push(`## cli, on a server\n\n${settingsTable(configIn(exported, clientFile))}`);
  }
  return parts.join('\n');
}

/** A default may be this machine's host name or folder: the page says which, the same wherever it is made. */
function nameTheMachine(): Disposable {
  const { hostname, homedir, tmpdir } = os;
  Object.assign(os, { hostname: () => '<host name>', homedir: () => '<home>', tmpdir: () => '<temporary folder>' });
  syncBuiltinESMExports();
  return {
    [Symbol.dispose]() {
      Object.assign(os, { hostname, homedir, tmpdir });
      syncBuiltinESMExports();
    },
  };
}

/** The one object schema whose name ends in `Config`. */
function configIn(exported: unknown, file: string): z.ZodObject {
  const module: object = typeof exported === 'object' && exported !== null ? exported : {};
  const schemas = Object.entries(module).flatMap(([name, value]) =>
    name.endsWith('Config') && value instanceof z.ZodObject ? [value] : [],
  );
  const [schema, ...others] = schemas;
  if (schema === undefined || others.length > 0) throw new Error(`${file} must export one z.object named ...Config`);
  return schema;
}

/** A markdown table of key, variable, default and meaning. Throws if a key has no description. */
export function settingsTable(config: z.ZodObject): string {
  const rows = Object.entries(config.shape).map(([key, field]) => {
    if (!(field instanceof z.ZodType)) throw new Error(`The setting ${key} is no zod schema`);
    return [`\`${key}\``, `\`${environmentName(key, field)}\``, ...describeField(key, field)];
  });
  const header = ['Key', 'Variable', 'Default', 'Meaning'];
  return [header, header.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map(escapeCell).join(' | ')} |\n`)
    .join('');
}

/** The default and the meaning of a setting, wherever in its wrappers they were said. */
function describeField(key: string, field: z.ZodType): [fallback: string, meaning: string] {
  const isRequired = !field.safeParse(undefined).success;
  let fallback = isRequired ? 'required' : 'unset';
  let meaning: string | undefined;
  let choices = '';
  for (let schema: unknown = field; schema instanceof z.ZodType; schema = inside(schema)) {
    meaning ??= schema.description;
    if (schema instanceof z.ZodEnum) choices = `; one of ${schema.options.map(asCode).join(', ')}`;
    if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) fallback = asCode(schema.def.defaultValue);
  }
  if (meaning === undefined) throw new Error(`The setting ${key} has no .describe()`);
  return [fallback, meaning + choices];
}

/** What a wrapper wraps; of a transformation the side that reads the variable. */
function inside(schema: z.ZodType): unknown {
  if (schema instanceof z.ZodPipe) return schema.in instanceof z.ZodTransform ? schema.out : schema.in;
  const isWrapper =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodCatch;
  return isWrapper ? schema.unwrap() : undefined;
}

function asCode(value: unknown): string {
  if (Array.isArray(value)) return asCode(value.map(String).join(','));
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' ? 'empty' : `\`${text}\``;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');
}
