/** The CRD on a real API server: what it takes, what it refuses and why, what it adds and what it shows. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ReviewPolicyObject } from '@drydock/policy';
import fc from 'fast-check';
import { z } from 'zod';
import { crdFile, startPolicyApi, type PolicyApi } from './start-policy-api.ts';

let server: PolicyApi;
beforeAll(async () => {
  server = await startPolicyApi();
}, 180_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const Refusal = z.object({ message: z.string() });
const Kept = z.object({ spec: z.record(z.string(), z.unknown()) });

function anObject(spec: unknown, name = 'payments'): object {
  return { apiVersion: 'drydock.dev/v1alpha1', kind: 'ReviewPolicy', metadata: { name }, spec };
}

const projects = ['payments/**'];
const budget = (values: object) => ({ projects, review: { budget: values } });
const resources = (values: object) => ({ projects, pod: { resources: values } });

/** What is refused, each with a part of what the server says. */
const refused: readonly (readonly [what: string, spec: object, message: string])[] = [
  ['no projects', { projects: [] }, 'should have at least 1 items'],
  ['an unknown field', { projects, colour: 'blue' }, 'unknown field "spec.colour"'],
  ['an unknown field of the review', { projects, review: { minSeverty: 'high' } }, 'unknown field'],
  ['a project twice', { projects: ['a/b', 'a/b'] }, 'Duplicate value'],
  ['a group without its slash', { projects: ['payments'] }, 'must be a numeric id, *, or a path with a slash'],
  ['a number that is no id', { projects: ['007'], forges: ['gitlab'] }, 'must be a numeric id, *, or a path'],
  ['a path that ends with a slash', { projects: ['payments/'] }, 'must not end with a slash or have two in a row'],
  ['a path with two slashes', { projects: ['payments//a'] }, 'must not end with a slash or have two in a row'],
  ['a path from the root', { projects: ['/payments/a'] }, 'should match'],
  ['an id of no forge', { projects: ['42'] }, 'name the forge in forges'],
  ['a run dearer than its day', budget({ usdPerRun: 60 }), 'budget.usdPerRun must be at most budget.usdPerDay'],
  ['a day cheaper than a usual run', budget({ usdPerDay: 1 }), 'budget.usdPerRun must be at most'],
  ['a run of more tokens than its day', budget({ tokensPerDay: 100 }), 'budget.tokensPerRun must be at most'],
  ['a turn of more tokens than its run', budget({ tokensPerRun: 100 }), 'budget.maxOutputTokensPerTurn must be at'],
  ['no money', budget({ usdPerRun: 0 }), 'should be greater than 0'],
  ['a label for and against', { projects, review: { skipLabels: ['a'], triggerLabels: ['a'] } }, 'a label cannot be'],
  ['a model for itself', { projects, review: { model: 'm', fallbackModels: ['m'] } }, 'model is not its own fallback'],
  ['an empty glob', { projects, review: { ignorePaths: [''] } }, 'should be at least 1 chars long'],
  ['too many comments', { projects, review: { maxComments: 201 } }, 'should be less than or equal to 200'],
  ['a category that is none', { projects, review: { severityCaps: { style: 'low' } } }, 'unknown field'],
  ['a trigger that is none', { projects, triggers: ['closed'] }, 'Unsupported value: "closed"'],
  ['an agent that is none', { projects, agents: ['dance'] }, 'Unsupported value: "dance"'],
  ['a project over its policy', { projects, concurrency: { maxRunning: 1, maxRunningPerProject: 2 } }, 'at most maxR'],
  ['little CPU', resources({ cpu: '50m' }), 'must be between 100m and 128'],
  ['much CPU', resources({ cpu: 129 }), 'must be between 100m and 128'],
  ['little memory', resources({ memory: 1024 }), 'must be between 128Mi and 1Ti'],
  ['much disk', resources({ ephemeralStorage: '5Ti' }), 'must be between 128Mi and 4Ti'],
  ['an amount that is none', resources({ memory: '2 Gi' }), 'should match'],
  [
    'a node label that is none',
    { projects, pod: { nodeSelector: { '-a': 'b' } } },
    'keys must be names of node labels',
  ],
  ['a taint of no key', { projects, pod: { tolerations: [{}] } }, 'without a key the operator must be Exists'],
  [
    'a value for any value',
    { projects, pod: { tolerations: [{ key: 'a', operator: 'Exists', value: 'b' }] } },
    'the operator Exists takes no value',
  ],
];

describe('the CRD of ReviewPolicy', () => {
  it('is taken and completed: what is left out gets the default of the policy file', async () => {
    const object = anObject({ projects });

    const { status, body } = await server.create(object, true);

    expect(status).toBe(201);
    const { blockAt, ...review } = ReviewPolicyObject.parse(object).spec.review;
    expect(blockAt).toBeNull(); // absent, for the server
    expect(Kept.parse(body).spec).toEqual({ ...ReviewPolicyObject.parse(object).spec, review });
  });

  it.each(refused)('refuses %s', async (_, spec, message) => {
    const { status, body } = await server.create(anObject(spec), true);

    expect([400, 422]).toContain(status);
    expect(Refusal.parse(body).message).toContain(message);
    expect(ReviewPolicyObject.safeParse(anObject(spec)).success).toBe(false);
  });

  it('refuses a name that is too long for a label', async () => {
    const object = anObject({ projects }, 'a'.repeat(64));

    expect(Refusal.parse((await server.create(object, true)).body).message).toContain('at most 63 characters');
    expect(ReviewPolicyObject.safeParse(object).success).toBe(false);
  });

  it('has no rule that is not tried above', async () => {
    const texts = [...(await readFile(crdFile, 'utf8')).matchAll(/rule: [^\n]*\n\s+message: ['"]?([^\n]*?)['"]?\n/g)];

    const rules = texts.map(([, message = '']) => message);
    const untried = rules.filter((rule) => !refused.some(([, , message]) => rule.includes(message.slice(0, 30))));

    expect(rules.length).toBeGreaterThan(15);
    expect(untried).toEqual(['metadata.name must be at most 63 characters long']);
  });

  it('drops fields that it does not know where a client does not ask to be told', async () => {
    const { status, body } = await server.api('POST', `${server.policies}?dryRun=All&fieldValidation=Ignore`, {
      body: anObject({ projects, colour: 'blue' }),
    });

    expect(status).toBe(201);
    expect(Kept.parse(body).spec).not.toHaveProperty('colour');
  });

  it('takes null for what has a default as the default, which a policy file does not', async () => {
    const object = anObject({ projects, precedence: null, review: { blockAt: null } });

    const { status, body } = await server.create(object, true);

    expect({ status, body }).toMatchObject({ status: 201 });
    expect(Kept.parse(body).spec['precedence']).toBe(0);
    expect(ReviewPolicyObject.safeParse(object).success).toBe(false);
  });

  it('shows what people ask for first', async () => {
    const created = await server.create(anObject({ projects: ['shown/*', 'x/y'] }, 'shown'));
    expect(created.status).toBe(201);
    const conditions = ['Accepted', 'Conflicted'].map((type) => ({
      type,
      status: type === 'Accepted' ? 'True' : 'False',
      reason: 'Valid',
      message: 'It applies.',
      lastTransitionTime: '2026-11-21T10:00:00Z',
    }));
    const status = { conditions, matchedProjects: 3, waiting: 0, running: 2 };
    const patched = await server.api('PATCH', `${server.policies}/shown/status`, {
      body: { status },
      contentType: 'application/merge-patch+json',
    });
    expect(patched.status).toBe(200);

    const { body } = await server.api('GET', `${server.policies}/shown`, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    });

    const table = z
      .object({
        columnDefinitions: z.array(z.object({ name: z.string() })),
        rows: z.array(z.object({ cells: z.array(z.unknown()) })),
      })
      .parse(body);
    expect(table.columnDefinitions.map(({ name }) => name)).toEqual([
      ...['Name', 'Projects', 'Model', 'Accepted', 'Conflicted', 'Matched', 'Running', 'Age', 'Why'],
    ]);
    expect(table.rows[0]?.cells.slice(0, 7)).toEqual([
      ...['shown', '["shown/*","x/y"]', 'claude-sonnet-5-5', 'True', 'False', 3, 2],
    ]);
  });

  it('is found by its short name and its category', async () => {
    const { body } = await server.api('GET', '/apis/drydock.dev/v1alpha1');

    expect(body).toMatchObject({
      resources: expect.arrayContaining([
        expect.objectContaining({ name: 'reviewpolicies', shortNames: ['rpol'], categories: ['drydock'] }),
        expect.objectContaining({ name: 'reviewpolicies/status' }),
      ]),
    });
  });
});

const text = (good: readonly string[]) =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...good), weight: 6 },
    fc.constantFrom(
      '',
      ' ',
      'a\n',
      '😀'.repeat(101),
      'é'.repeat(200),
      'x'.repeat(201),
      'x'.repeat(256),
      'x'.repeat(501),
    ),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
  );
const amount = fc.oneof(
  fc.constantFrom('1', '500m', '99m', '2Gi', '128Mi', '127Mi', '1Ti', '1025Gi', '0.5', '1.5Gi', '1e3', '-1', '128', ''),
  fc.constantFrom(0, 1, 128, 129, 2 ** 27, 2 ** 40, 2 ** 40 + 1, 1.5, -1),
);
const whole = fc.oneof(
  fc.integer({ min: -5, max: 300 }),
  fc.constantFrom(1000, 1001, 10_000, 10_001, 16_000, 3_000_000, 2 ** 53 - 1, 2 ** 53, 0.5, -0.5),
);
const severity = text(['low', 'medium', 'high', 'critical']);
const junk = fc.constantFrom<unknown>('x', 7, true, [], {}, [7], { a: 1 });

/** A few keys with good and bad values; now and then one that is something else altogether, or a further one. */
function group(fields: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<object> {
  const known = fc
    .subarray(Object.entries(fields), { maxLength: 3 })
    .chain((chosen) =>
      fc.record(
        Object.fromEntries(chosen.map(([key, value]) => [key, fc.oneof({ arbitrary: value, weight: 30 }, junk)])),
      ),
    );
  return fc.oneof(
    { arbitrary: known, weight: 40 },
    known.map((value) => ({ ...value, further: 1 })),
  );
}

const listOf = (entry: fc.Arbitrary<unknown>) => fc.array(entry, { maxLength: 3 });
const aSpec = group({
  forges: listOf(text(['gitlab', 'github', 'gitlab-eu'])),
  precedence: whole,
  triggers: listOf(fc.constantFrom('opened', 'pushed', 'commanded', 'closed')),
  agents: listOf(fc.constantFrom('review', 'review', 'review', 'plan')),
  concurrency: group({ maxRunning: whole, maxRunningPerProject: whole, weight: whole }),
  review: group({
    v: fc.constantFrom(1, 1, 1, 2),
    enabled: fc.boolean(),
    drafts: text(['skip', 'review']),
    skipLabels: listOf(text(['a', 'b'])),
    triggerLabels: listOf(text(['b', 'c', 'd', 'e'])),
    botAuthors: listOf(text(['renovate'])),
    commandRole: text(['none', 'developer', 'owner']),
    minSeverity: severity,
    minConfidence: fc.constantFrom(0, 0.4, 1, 1.1, -0.1),
    maxComments: whole,
    severityCaps: fc.dictionary(text(['security', 'tests', 'documentation']), severity, { maxKeys: 2 }),
    blockAt: fc.oneof(severity, fc.constant(null)),
    suggestions: fc.boolean(),
    ignorePaths: listOf(text(['docs/**', '**/*.snap'])),
    maxFiles: whole,
    model: text(['claude-sonnet-5-5', 'm']),
    fallbackModels: listOf(text(['m', 'n'])),
    budget: group({
      usdPerRun: fc.constantFrom(0.01, 2, 50, 51, 0, -1),
      usdPerDay: fc.constantFrom(1, 2, 50, 100.5),
      tokensPerRun: whole,
      tokensPerDay: whole,
      maxTurns: whole,
      maxOutputTokensPerTurn: whole,
      deadlineSeconds: whole,
    }),
  }),
  pod: group({
    resources: group({ cpu: amount, memory: amount, ephemeralStorage: amount }),
    runtimeClassName: text(['gvisor', 'kata-qemu']),
    hostUsers: fc.boolean(),
    nodeSelector: fc.dictionary(text(['pool', 'drydock.dev/pool', '-a']), text(['reviews', '']), { maxKeys: 2 }),
    tolerations: listOf(
      group({
        key: text(['dedicated', 'a.b/c']),
        operator: fc.constantFrom('Exists', 'Equal', 'In'),
        value: text(['x', '']),
        effect: fc.constantFrom('NoSchedule', 'NoExecute', 'Never'),
      }),
    ),
  }),
}).chain((spec) =>
  fc
    .oneof(
      { arbitrary: fc.constantFrom([['a/*']], [['A/b', 'c/**']], [['*']]), weight: 6 },
      listOf(text(['a/*', 'a', '42', '042', 'a//b', 'a/', '{a,b}/c', '[a-c]/d', '!a/b', 'a/b c', '**'])),
    )
    .map((entries) => ({ ...spec, projects: entries.flat() })),
);

describe('the API server and our schema', () => {
  it('take the same objects, and make the same of them', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(aSpec, async (spec) => {
        const object = anObject(spec);
        const parsed = ReviewPolicyObject.safeParse(object);

        const { status, body } = await server.create(object, true);

        expect({ isTaken: status === 201, body, issues: parsed.error?.issues }).toMatchObject({
          isTaken: parsed.success,
        });
        if (!parsed.success) return;
        taken += 1;
        const metadata = { name: 'payments' };
        const stored = { apiVersion: 'drydock.dev/v1alpha1', kind: 'ReviewPolicy', metadata, ...Kept.parse(body) };
        expect(ReviewPolicyObject.parse(stored).spec).toEqual(parsed.data.spec);
      }),
      { numRuns: 600 },
    );
    expect(taken).toBeGreaterThan(150); // or it shows little
  }, 180_000);
});
