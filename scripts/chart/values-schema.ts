import { components, freeSettings } from './component-settings.ts';
import { readChartValues, type ChartValue } from './chart-values.ts';

/** A JSON Schema, or a part of one. */
type JsonSchema = Record<string, unknown>;

const quantities = { type: 'object', additionalProperties: { type: ['string', 'number'] } };
const fixedDefinitions: JsonSchema = {
  digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
  resources: {
    type: 'object',
    properties: { requests: quantities, limits: quantities },
    additionalProperties: false,
  },
};

/** The `values.schema.json` of the chart: every value has a type, and a key that nobody reads is refused. */
export async function valuesSchema(root: string): Promise<string> {
  const settings = await Promise.all(
    components.map(async (component) => [`${component}Settings`, await settingsSchema(root, component)] as const),
  );
  const schema = section();
  for (const value of readChartValues(root)) place(schema, value);
  return JSON.stringify({
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the Drydock chart',
    ...schema.toSchema({ global: { type: 'object', description: 'Of a chart above this one; not read' } }),
    $defs: { ...fixedDefinitions, ...Object.fromEntries(settings) },
  });
}

/** Names of variables, so that a misspelt one is refused; their values are checked by the process, at its start. */
async function settingsSchema(root: string, component: (typeof components)[number]): Promise<JsonSchema> {
  const free = await freeSettings(root, component);
  return {
    type: 'object',
    properties: Object.fromEntries(
      free.map(({ variable, description }) => [variable, { type: ['string', 'number', 'boolean'], description }]),
    ),
    additionalProperties: false,
  };
}

interface Section {
  readonly parts: Map<string, Section | JsonSchema>;
  toSchema(more?: JsonSchema): JsonSchema;
}

function section(): Section {
  const parts = new Map<string, Section | JsonSchema>();
  const toSchema = (more: JsonSchema = {}) => ({
    type: 'object',
    properties: {
      ...Object.fromEntries([...parts].map(([key, part]) => [key, isSection(part) ? part.toSchema() : part])),
      ...more,
    },
    additionalProperties: false,
  });
  return { parts, toSchema };
}

function isSection(part: Section | JsonSchema): part is Section {
  return 'parts' in part && part['parts'] instanceof Map;
}

function place(root: Section, { path, description, fallback, schema }: ChartValue): void {
  let at = root;
  for (const key of path.slice(0, -1)) {
    const found = at.parts.get(key);
    const next = found !== undefined && isSection(found) ? found : section();
    at.parts.set(key, next);
    at = next;
  }
  const type = '$ref' in schema || 'enum' in schema ? {} : { type: typeOf(fallback) };
  at.parts.set(path.at(-1) ?? '', { description, ...type, ...schema });
}

function typeOf(fallback: unknown): string {
  if (Array.isArray(fallback)) return 'array';
  if (typeof fallback === 'number') return Number.isInteger(fallback) ? 'integer' : 'number';
  return typeof fallback;
}
