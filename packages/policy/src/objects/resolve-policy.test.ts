import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { findOverlaps, isConflict } from './find-overlaps.ts';
import { readPattern } from './project-pattern.ts';
import { readPolicyObject } from './read-policy-object.ts';
import { comparePlaces, resolvePolicy } from './resolve-policy.ts';
import { aPolicy, aPolicyObject } from './testing/policy-builders.ts';

const project = { forge: 'gitlab', projectId: '42', projectPath: 'Payments/core/api' };

function nameFor(policies: readonly ReturnType<typeof aPolicy>[], one = project): string {
  const resolution = resolvePolicy(policies, one);
  return resolution.kind === 'default' ? 'default' : `${resolution.kind} ${resolution.policy.name}`;
}

const older = { creationTimestamp: '2025-01-01T00:00:00Z' };

describe('resolvePolicy', () => {
  it('applies the default where no policy is for the project', () => {
    expect(nameFor([])).toBe('default');
    expect(nameFor([aPolicy('a', { projects: ['other/**', 'payments/*'] })])).toBe('default');
    expect(nameFor([aPolicy('a', { projects: ['**'], forges: ['github'] })])).toBe('default');
  });

  it.each([
    ['the higher precedence', { projects: ['*'], precedence: 1 }, { projects: ['payments/core/api'] }],
    ['an id before a path', { projects: ['42'], forges: ['gitlab'] }, { projects: ['payments/core/api'] }],
    ['a path before a glob', { projects: ['PAYMENTS/core/API'] }, { projects: ['payments/core/ap*'] }],
    ['the glob with more before its first sign', { projects: ['payments/core/*'] }, { projects: ['payments/**'] }],
    ['any glob before all', { projects: ['**/api'] }, { projects: ['*'] }],
    ['its closest pattern', { projects: ['*', 'payments/core/api'] }, { projects: ['payments/core/**'] }],
    ['who names the forge', { projects: ['payments/**'], forges: ['gitlab'] }, { projects: ['payments/**'] }],
  ])('goes by %s', (_, winner, loser) => {
    expect(nameFor([aPolicy('z', winner), aPolicy('a', loser, older)])).toBe('object z');
  });

  it('goes by age, then by name, where nothing that was written decides', () => {
    const spec = { projects: ['payments/**'] };

    expect(nameFor([aPolicy('a', spec), aPolicy('b', spec, older)])).toBe('object b');
    expect(nameFor([aPolicy('b', spec), aPolicy('a', spec)])).toBe('object a');
  });

  it('holds back the projects of a policy that cannot be applied, instead of taking a wider one', () => {
    const broken = aPolicy('strict', { projects: ['payments/**'], review: { minSeverity: 'hihg' } });
    const wide = aPolicy('wide', { projects: ['*'] });

    expect(nameFor([broken, wide])).toBe('held strict');
    expect(nameFor([broken, wide], { ...project, projectPath: 'other/x' })).toBe('object wide');
  });

  it('takes what it cannot read of a claim for the widest', () => {
    const unreadable = aPolicy('odd', { projects: { some: 'day' }, forges: 7, precedence: 'high' });

    expect(unreadable).toMatchObject({ kind: 'invalid', projects: ['*'], forges: [], precedence: 1000 });
    expect(nameFor([unreadable, aPolicy('wide', { projects: ['*'], precedence: 999 })])).toBe('held odd');
    expect(aPolicy('none', {})).toMatchObject({ kind: 'invalid', projects: ['*'], precedence: 0 });
  });

  it('reads no object without a name', () => {
    expect(readPolicyObject({ ...aPolicyObject('a', { projects: ['*'] }), metadata: {} })).toBeNull();
    expect(readPolicyObject(null)).toBeNull();
  });
});

const names = ['a', 'b', 'ab'];
const paths = names.flatMap((one) =>
  names.flatMap((two) => [`${one}/${two}`, ...names.map((x) => `${one}/${two}/${x}`)]),
);
const pattern = fc.oneof(
  fc.constantFrom('*', '**', '1', '2'),
  fc
    .array(fc.constantFrom('a', 'b', 'ab', '*', '**', 'a*', '?', '{a,b}'), { minLength: 2, maxLength: 3 })
    .map((parts) => parts.join('/')),
);
const aSpec = fc.record({
  projects: fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
  forges: fc.constantFrom(['gitlab'], ['gitlab', 'github'], ['github']),
  precedence: fc.constantFrom(0, 0, 0, 5),
});
const somePolicies = fc.uniqueArray(
  fc.tuple(fc.constantFrom('p', 'q', 'r', 's'), aSpec, fc.constantFrom('2025-01-01T00:00:00Z', '2026-01-01T00:00:00Z')),
  { selector: ([name]) => name, maxLength: 4 },
);
const someProjects = paths.map((projectPath, index) => ({
  forge: index % 2 === 0 ? 'gitlab' : 'github',
  projectId: String(index + 1),
  projectPath,
}));

describe('the rule', () => {
  it('does not depend on the order in which policies are seen', () => {
    fc.assert(
      fc.property(somePolicies, (tuples) => {
        const policies = tuples.map(([name, spec, creationTimestamp]) => aPolicy(name, spec, { creationTimestamp }));
        for (const one of someProjects) {
          expect(nameFor([...policies].reverse(), one)).toBe(nameFor(policies, one));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('has told of every project that two policies take, and of who goes first, before any is seen', async () => {
    await fc.assert(
      fc.asyncProperty(somePolicies, async (tuples) => {
        const policies = tuples.map(([name, spec, creationTimestamp]) => aPolicy(name, spec, { creationTimestamp }));
        const overlaps = await findOverlaps(policies);
        for (const one of someProjects) {
          const winner = resolvePolicy(policies, one);
          if (winner.kind === 'default') continue;
          for (const loser of policies) {
            if (loser === winner.policy || resolvePolicy([loser], one).kind === 'default') continue;
            const told = overlaps.get(loser.name) ?? [];
            const isById = [...loser.projects, ...winner.policy.projects].some((entry) => entry === one.projectId);
            expect(isById || told.some((overlap) => overlap.winner === winner.policy.name)).toBe(true);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('findOverlaps', () => {
  it('tells a conflict from layers', async () => {
    const overlaps = await findOverlaps([
      aPolicy('all', { projects: ['*'] }),
      aPolicy('team', { projects: ['payments/**'] }, older),
      aPolicy('other-team', { projects: ['*/core/**', 'Payments/**'] }),
      aPolicy('apart', { projects: ['x/y'], forges: ['github'] }),
    ]);

    expect(overlaps.get('team')).toEqual([]);
    expect(overlaps.get('all')?.map((overlap) => [overlap.winner, isConflict(overlap)])).toEqual([
      ['other-team', false],
      ['other-team', false],
      ['team', false],
      ['apart', false],
    ]);
    expect(overlaps.get('other-team')).toEqual([
      { pattern: '*/core/**', winner: 'team', winnerPattern: 'payments/**', reason: 'closer-match' },
      { pattern: 'Payments/**', winner: 'team', winnerPattern: 'payments/**', reason: 'age' },
    ]);
  });

  it('names the reason that decides', () => {
    const [left, right] = [aPolicy('a', { projects: ['*'] }), aPolicy('b', { projects: ['*'], precedence: 1 })];

    const { order, reason } = comparePlaces(
      { policy: left, pattern: readPattern('*') },
      { policy: right, pattern: readPattern('*') },
    );

    expect([order > 0, reason]).toEqual([true, 'precedence']);
  });

  it('looks only at patterns that begin alike', async () => {
    const many = Array.from({ length: 200 }, (_, index) =>
      aPolicy(`p${String(index)}`, {
        projects: Array.from({ length: 20 }, (_, at) => `group${String(index)}/x${String(at)}*`),
      }),
    );
    let rests = 0;

    const overlaps = await findOverlaps(many, async () => {
      rests += 1;
    });

    expect([...overlaps.values()].flat()).toEqual([]);
    expect(rests).toBe(0);
  });

  it('lets others have a turn now and then', async () => {
    const many = Array.from({ length: 101 }, (_, index) => aPolicy(`p${String(index)}`, { projects: ['*'] }));
    let rests = 0;

    const overlaps = await findOverlaps(many, async () => {
      rests += 1;
    });

    expect([...overlaps.values()].flat()).toHaveLength(5050);
    expect(rests).toBe(101);
  });

  it('comes to an end with patterns that were made to have none', async () => {
    const knot = (letter: string, times: number) =>
      `{${Array.from({ length: times }, () => `*a*a*a*a*${letter}`).join()}}/*`;

    const told = async (times: number) => {
      const overlaps = await findOverlaps(['x', 'y'].map((name) => aPolicy(name, { projects: [knot(name, times)] })));
      return overlaps.get('y')?.length;
    };

    expect(await told(2)).toBe(0);
    expect(await told(15)).toBe(1); // nobody will tell any more, so it is said that they may
  });
});
