/**
 * JSON schema, as zod makes it, in the dialect of CustomResourceDefinitions: OpenAPI v3 "structural schemas". Whatever
 * has no counterpart there throws, so that nothing a zod schema demands is lost on the way.
 *
 * @see https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
 */
import { z } from 'zod';

/** A schema of the CRD. */
export type StructuralSchema = Readonly<Record<string, unknown>>;

type JsonSchema = Readonly<Record<string, unknown>>;

/** What means the same in both. */
const plainKeys = new Set([
  'type',
  'description',
  'default',
  'enum',
  'format',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
]);
const JsonObject = z.record(z.string(), z.unknown());
const JsonObjects = z.array(JsonObject);

/** The schema of what people write, so with defaults that may be left out. */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return structural(JsonObject.parse(z.toJSONSchema(schema, { io: 'input' })), '');
}

function structural(schema: JsonSchema, path: string): StructuralSchema {
  const { anyOf, propertyNames, additionalProperties, ...others } = schema;
  if (anyOf !== undefined) return structural({ ...others, ...merged(JsonObjects.parse(anyOf), others, path) }, path);
  const made: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(others)) Object.assign(made, converted(key, value, path));
  if (typeof additionalProperties === 'object') {
    const value = structural(JsonObject.parse(additionalProperties), `${path}.*`);
    const names = propertyNames === undefined ? null : namesOf(JsonObject.parse(propertyNames), path);
    if (names === null) made['additionalProperties'] = value;
    else made['properties'] = Object.fromEntries(names.map((name) => [name, value]));
  }
  return isEmptyGroup(made['default']) ? { ...made, default: defaultOf(made) } : made;
}

/** A default is checked by the rules of its group as it stands, before the defaults within it are filled in. */
function defaultOf({ properties }: StructuralSchema): StructuralSchema {
  const fields = Object.entries(z.record(z.string(), JsonObject).parse(properties ?? {}));
  return Object.fromEntries(fields.flatMap(([name, field]) => ('default' in field ? [[name, field['default']]] : [])));
}

function isEmptyGroup(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

function converted(key: string, value: unknown, path: string): StructuralSchema {
  if (key === 'type' && Array.isArray(value)) throw new Error(`spec${path}: a CRD cannot choose between types`);
  if (plainKeys.has(key) || key.startsWith('x-kubernetes-')) {
    return key === 'default' && value === null ? {} : { [key]: value }; // absent is null already
  }
  switch (key) {
    case '$schema':
      return {};
    case 'const':
      return { enum: [value] };
    case 'nullable':
      return { nullable: value };
    case 'exclusiveMinimum':
      return { minimum: value, exclusiveMinimum: true };
    case 'items':
      return { items: structural(JsonObject.parse(value), `${path}[]`) };
    case 'properties': {
      const properties = Object.entries(JsonObject.parse(value)).map(([name, property]) => [
        name,
        structural(JsonObject.parse(property), `${path}.${name}`),
      ]);
      return { properties: Object.fromEntries(properties) };
    }
    default:
      throw new Error(`spec${path}: a CRD has no counterpart for ${key}`);
  }
}

/** Null beside something else, or a number beside a text where Kubernetes takes both. */
function merged(choices: readonly JsonSchema[], around: JsonSchema, path: string): JsonSchema {
  const [one, other, ...more] = choices;
  if (one !== undefined && other !== undefined && more.length === 0) {
    if (other['type'] === 'null') return { ...withoutEnum(one), nullable: true };
    if (around['x-kubernetes-int-or-string'] === true && one['type'] === 'integer' && other['type'] === 'string') {
      return Object.fromEntries(Object.entries({ ...one, ...other }).filter(([key]) => key !== 'type'));
    }
  }
  throw new Error(`spec${path}: a CRD cannot choose between schemas`);
}

/** The API server finds null in no enum, even if it stands there; a pattern is asked of texts alone. */
function withoutEnum({ enum: words, ...others }: JsonSchema): JsonSchema {
  return words === undefined ? others : { ...others, pattern: `^(${z.array(z.string()).parse(words).join('|')})$` };
}

function namesOf({ enum: names, type, ...others }: JsonSchema, path: string): readonly string[] | null {
  if (names !== undefined) return z.array(z.string()).parse(names);
  if (type === 'string' && Object.keys(others).length === 0) return null;
  throw new Error(`spec${path}: a CRD cannot say which keys are meant`);
}
