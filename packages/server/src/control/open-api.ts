import { WireError, controlPaths } from '@drydock/core';
import { z } from 'zod';
import { Nothing, operations, type Operation } from './operations.ts';

type Json = Record<string, unknown>;

const errors: Readonly<Record<string, string>> = {
  '400': 'The request is not of this form; the message names what is wrong',
  '401': 'No token, or one that is not known',
  '403': "A viewer's token, where an admin's is needed",
  '404': 'There is no such task',
  '413': 'The body is too large',
  '422': 'It cannot be done',
  '424': 'Not until a person acts, such as on a setting that is missing',
  '500': 'A bug; the server’s log has the reason',
  '503': 'A store or process behind the server does not answer; may be sent again',
};
const description = `What people and programs may ask of Drydock's server. Every call needs a named token as \`Authorization: Bearer\`: a viewer's
may read, an admin's may do all. Requests are strict: what is not known here is refused by its name. Answers may gain fields.`;

/** The control API as OpenAPI 3.1, made of the schemas that the routes parse with. */
export function openApiDocument(version: string): Json {
  const components = new Components();
  const paths: Record<string, Json> = {};
  for (const operation of Object.values(operations)) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method]: describeOperation(operation, components) };
  }
  paths[controlPaths.openApi] = {
    get: {
      operationId: 'getOpenApi',
      tags: ['meta'],
      summary: 'This document',
      responses: { '200': jsonAnswer('OpenAPI 3.1', { type: 'object' }), default: { $ref: errorRef } },
    },
  };
  components.add(WireError.meta({ id: 'WireError' }));
  return {
    openapi: '3.1.1',
    info: {
      title: 'Drydock control API',
      version,
      description: description.replaceAll('\n', ' '),
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: ['tasks', 'dead letters', 'queue', 'meta'].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'One of DRYDOCK_VIEWER_TOKENS or DRYDOCK_ADMIN_TOKENS' },
      },
      responses: { Error: jsonAnswer('What went wrong, and what to do', { $ref: '#/components/schemas/WireError' }) },
      schemas: components.schemas(),
    },
  };
}

const errorRef = '#/components/responses/Error';

function describeOperation(operation: Operation, components: Components): Json {
  const { id, role, tag, summary, query, body, answer, path } = operation;
  const isAboutTask = path.includes(':taskId');
  const parameters = [...(isAboutTask ? [taskParameter] : []), ...queryParameters(components.plain(query))];
  const statuses = Object.entries(errors).filter(
    ([status]) =>
      (status !== '404' || isAboutTask) &&
      (status !== '403' || role === 'admin') &&
      (status !== '413' || body !== Nothing),
  );
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: role === 'admin' ? "Needs an admin's token." : "A viewer's token will do.",
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === Nothing
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: components.add(body) } } } }),
    responses: {
      '200': jsonAnswer('Done', components.add(answer)),
      ...Object.fromEntries(
        statuses.map(([status, meaning]) => [
          status,
          { ...jsonAnswer(meaning, { $ref: '#/components/schemas/WireError' }) },
        ]),
      ),
    },
  };
}

const taskParameter = {
  name: 'taskId',
  in: 'path',
  required: true,
  description: 'Kind, forge, numeric id of the project and number of the merge request, such as review:gitlab:42:7',
  schema: { type: 'string', pattern: '^[a-z]+:[a-z][a-z0-9-]*:[1-9]\\d*:[1-9]\\d*$' },
  example: 'review:gitlab:42:7',
};

function jsonAnswer(meaning: string, schema: unknown): Json {
  return { description: meaning, content: { 'application/json': { schema } } };
}

const JsonObject = z.record(z.string(), z.unknown());
const ObjectSchema = z.object({
  properties: z.record(z.string(), JsonObject).default({}),
  required: z.array(z.string()).default([]),
});
const QuerySchema = z.union([
  z.object({ oneOf: z.array(ObjectSchema) }).transform(({ oneOf }) => oneOf),
  ObjectSchema.transform((only) => [only]),
]);

/** The keys of a query, of all its variants, as parameters. What only some variants want is optional. */
function queryParameters(schema: Json): Json[] {
  const variants = QuerySchema.parse(schema);
  const names = new Set(variants.flatMap(({ properties }) => Object.keys(properties)));
  return [...names].map((name) => {
    const seen = variants.flatMap(({ properties: { [name]: one } }) => (one === undefined ? [] : [one]));
    const constants = seen.flatMap((one) => ('const' in one ? [one['const']] : []));
    const { description: meaning, ...plain }: Json =
      constants.length > 0 ? { type: 'string', enum: constants } : { ...seen[0] };
    if (plain['type'] === 'integer' && 'default' in plain) plain['default'] = Number(plain['default']); // all is text on the wire
    return {
      name,
      in: 'query',
      required: variants.every(({ required }) => required.includes(name)),
      ...(typeof meaning === 'string' ? { description: meaning } : {}),
      ...(plain['type'] === 'array' ? { style: 'form', explode: false } : {}),
      schema: plain,
    };
  });
}

/** Schemas that have a name are told once. */
class Components {
  readonly #schemas = new Map<string, unknown>();

  /** The schema where it is used: a reference, if it has a name. */
  add(schema: z.ZodType): Json {
    const { $schema: _dialect, $defs, ...rest } = jsonSchema(schema);
    for (const [name, named] of Object.entries($defs ?? {})) this.#schemas.set(name, withoutId(named));
    return relocated(rest);
  }

  /** The schema itself, whether or not it has a name. */
  plain(schema: z.ZodType): Json {
    const { $schema: _dialect, $defs, $ref, ...rest } = jsonSchema(schema);
    const named = typeof $ref === 'string' ? $defs?.[$ref.slice('#/$defs/'.length)] : undefined;
    return { ...(named ?? rest) };
  }

  schemas(): Json {
    const sorted = [...this.#schemas].sort(([one], [other]) => (one < other ? -1 : 1));
    return relocated(Object.fromEntries(sorted));
  }
}

function jsonSchema(schema: z.ZodType): Json & { $defs?: Record<string, Json> } {
  // "input" for answers too: a reader must not be told that no other fields can come.
  return z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema: json }) => {
      if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
      if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
      const { parameter } = json;
      if (typeof parameter !== 'object' || parameter === null) return;
      // Every parameter is text on the wire; these tell what text it is.
      const { description: meaning } = json;
      for (const key of Object.keys(json)) Reflect.deleteProperty(json, key);
      Object.assign(json, parameter, meaning === undefined ? {} : { description: meaning });
    },
  });
}

function withoutId({ id: _id, ...rest }: Json): Json {
  return rest;
}

function relocated(json: Json): Json {
  const text = JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JsonObject.parse(JSON.parse(text));
}
