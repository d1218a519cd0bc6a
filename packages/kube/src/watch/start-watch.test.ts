import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@drydock/testkit';
import fc from 'fast-check';
import { silentKubeMetrics } from '../kube-metrics.ts';
import { startWatch, type Watched } from './start-watch.ts';
import { ModelServer, things, type Thing } from './testing/model-server.ts';

let stop: AbortController;
let clock: ManualClock;
let server: ModelServer;
/** Why watches ended, and how many changes audits found missing. */
let causes: string[];
let missed: number;
beforeEach(() => {
  stop = new AbortController();
  clock = new ManualClock();
  server = new ModelServer();
  causes = [];
  missed = 0;
});
afterEach(() => {
  stop.abort();
});

function start(random = () => 0.5, project = ({ colour }: Thing) => colour): Watched<string> {
  return startWatch({
    client: server,
    resource: things,
    project,
    signal: stop.signal,
    clock,
    random,
    metrics: {
      ...silentKubeMetrics,
      watchRestarted: (_kind, cause) => causes.push(cause),
      missedEvents: (_kind, count) => {
        missed += count;
      },
    },
  });
}

const minute = 60_000;

describe('a watch', () => {
  it('holds the first list, then what events tell', async () => {
    server.put('a', 'red');
    server.put('b', 'red');

    const watched = start();
    await watched.ready;
    await clock.advance(1);
    server.put('a', 'blue');
    server.put('c', 'red');
    server.remove('b');
    await clock.advance(1);

    expect(watched.get('ns/a')).toBe('blue');
    expect(watched.list()).toEqual(['blue', 'red']);
    expect(watched.size).toBe(2);
  });

  it('tells of each change once, with what was before', async () => {
    server.put('a', 'red');
    const watched = start();
    const changes: unknown[] = [];
    watched.onChange((change) => changes.push(change));

    await clock.advance(1);
    server.put('a', 'blue');
    await clock.advance(1);
    server.cut('broken');
    await clock.advance(minute);
    server.remove('a');
    await clock.advance(1);

    expect(changes).toEqual([
      { kind: 'set', key: 'ns/a', value: 'red', previous: null },
      { kind: 'set', key: 'ns/a', value: 'blue', previous: 'red' },
      { kind: 'gone', key: 'ns/a', previous: 'blue' },
    ]);
  });

  it('goes on at once when the server closed it as usual, and lists nothing again', async () => {
    const watched = start();
    await clock.advance(4 * minute);
    server.bookmark();
    server.cut('closed');
    await clock.advance(1);
    server.put('a', 'red');
    await clock.advance(1);

    expect(watched.get('ns/a')).toBe('red');
    expect(causes.filter((cause) => cause !== 'silent')).toEqual(['closed']);
    expect(server.lists).toBe(1);
  });

  it('reported 42: pauses longer and longer when the server closes it again and again', async () => {
    start();
    await clock.advance(1);

    for (let seconds = 0; seconds < 60; seconds += 0.1) {
      server.cut('closed');
      await clock.advance(100);
    }

    expect(server.watches).toBeLessThan(20);
  });

  it('faults row 32: what happened while it was cut off comes after', async () => {
    server.put('a', 'red');
    const watched = start();
    await clock.advance(1);

    server.isDown = true;
    server.cut('broken');
    server.remove('a');
    server.put('b', 'red');
    await clock.advance(2 * minute);
    const meanwhile = watched.list();
    const ageMs = watched.ageMs();
    server.isDown = false;
    await clock.advance(30_000);

    expect(meanwhile).toEqual(['red']);
    expect(ageMs).toBeGreaterThanOrEqual(2 * minute - 1);
    expect([watched.get('ns/a'), watched.get('ns/b')]).toEqual([undefined, 'red']);
    expect(server.lists).toBe(1);
  });

  it('faults row 32: lists again when its version is too old, and tells what changed', async () => {
    server.put('a', 'red');
    server.put('b', 'red');
    const watched = start();
    await clock.advance(1);
    const changes: string[] = [];
    watched.onChange(({ kind, key }) => changes.push(`${kind} ${key}`));

    server.isDown = true;
    server.cut('broken');
    server.remove('a');
    server.put('c', 'red');
    server.compact();
    server.isDown = false;
    await clock.advance(30_000);

    expect(changes.sort()).toEqual(['gone ns/a', 'set ns/c']);
    expect(causes).toContain('gone');
    expect(server.lists).toBe(2);
  });

  it('reported 24: a cache that lags brings nothing back that is gone', async () => {
    server.put('a', 'red');
    server.put('b', 'red');
    const watched = start();
    await clock.advance(1);
    server.remove('a');
    await clock.advance(1);
    const changes: unknown[] = [];
    watched.onChange((change) => changes.push(change));

    server.cacheLag = 1;
    server.compact();
    server.babble();
    await clock.advance(30_000);

    expect(causes).toContain('malformed');
    expect(changes).toEqual([]);
    expect(watched.list()).toEqual(['red']);
  });

  it('reported 42: a watch that fell silent is renewed, and no event is lost', async () => {
    const watched = start();
    await clock.advance(1);

    server.deafen();
    server.put('a', 'red');
    await clock.advance(91_000);

    expect(causes).toEqual(['silent']);
    expect(watched.get('ns/a')).toBe('red');
  });

  it('faults row 32: events that nobody sent are found by the audit and counted', async () => {
    server.put('a', 'red');
    server.put('b', 'red');
    const watched = start();
    await clock.advance(1);

    server.swallow = 3;
    server.put('a', 'blue');
    server.remove('b');
    server.put('c', 'red');
    server.put('d', 'red');
    server.bookmark();
    await clock.advance(6 * minute);

    expect(watched.get('ns/a')).toBe('blue');
    expect([watched.get('ns/b'), watched.get('ns/c')]).toEqual([undefined, 'red']);
    expect(missed).toBe(3);
  });

  it('an audit counts nothing that came in time', async () => {
    const watched = start();
    for (let round = 0; round < 60; round += 1) {
      server.put(`n${round % 7}`, `${round}`);
      if (round % 3 === 0) server.remove(`n${(round + 3) % 7}`);
      await clock.advance(10_000);
    }

    expect(missed).toBe(0);
    expect(server.lists).toBeGreaterThan(1);
    expect(watched.size).toBe(Object.keys(server.truth()).length);
  });

  it('reported 42: a listener that throws stops neither the watch nor the other listeners', async () => {
    const watched = start();
    const heard: string[] = [];
    watched.onChange(() => {
      throw new Error('a bug');
    });
    watched.onChange(({ key }) => heard.push(key));

    await clock.advance(1);
    server.put('a', 'red');
    server.put('b', 'red');
    await clock.advance(1);

    expect(heard).toEqual(['ns/a', 'ns/b']);
    expect(watched.size).toBe(2);
  });

  it('ends when it is told to, and says so to who waits for the first list', async () => {
    server.isDown = true;
    const watched = start();
    const waiting = expect(watched.ready).rejects.toMatchObject({ code: 'aborted' });
    await clock.advance(minute);

    stop.abort();

    await waiting;
    await watched.ended;
    expect(watched.isReady).toBe(false);
  });

  it('faults row 32, reported 18 and 26: whatever happens in whatever order, it holds the truth when all is quiet', async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ do: fc.constant('put' as const), name, colour: fc.stringMatching(/^[a-z]{1,3}$/) }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
      fc.record({ do: fc.constant('cut' as const), how: fc.constantFrom('closed' as const, 'broken' as const) }),
      fc.record({ do: fc.constantFrom('babble' as const, 'deafen' as const, 'compact' as const, 'bookmark' as const) }),
      fc.record({ do: fc.constant('swallow' as const), count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ do: fc.constant('down' as const), isDown: fc.boolean() }),
      fc.record({ do: fc.constant('lag' as const), versions: fc.integer({ min: 0, max: 6 }) }),
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('wait' as const),
          ms: fc.constantFrom(0, 1, 200, 5_100, 91_000, 300_000),
        }),
      },
    );

    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.99, noNaN: true })),
        async (steps, chances) => {
          stop = new AbortController();
          clock = new ManualClock();
          server = new ModelServer();
          const watched = start(
            () => Number(chances.next().value),
            ({ metadata, colour }) => `${colour} ${metadata.uid} ${metadata.resourceVersion}`,
          );
          const held = new Map<string, string>();
          const past = new Set<string>();
          const returned: string[] = [];
          watched.onChange((change) => {
            const [, uid = '', version = ''] = (change.kind === 'set' ? change.value : change.previous).split(' ');
            if (change.kind === 'gone') {
              held.delete(change.key);
              past.add(uid);
              return;
            }
            const before = Number(change.previous?.split(' ')[2] ?? 0);
            if (past.has(uid) || Number(version) <= before) returned.push(change.value);
            held.set(change.key, change.value.split(' ')[0] ?? '');
          });
          for (const one of steps) await play(one);
          server.isDown = false;
          server.swallow = 0;
          server.cacheLag = 0;
          await clock.advance(12 * minute);
          const result = Object.fromEntries(held);
          const size = watched.size;
          stop.abort();
          await watched.ended;

          expect(returned).toEqual([]);
          expect(result).toEqual(server.truth());
          expect(size).toBe(held.size);
        },
      ),
      { numRuns: 300 },
    );

    async function play(one: StepOf<typeof step>): Promise<void> {
      switch (one.do) {
        case 'put':
          server.put(one.name, one.colour);
          return;
        case 'remove':
          server.remove(one.name);
          return;
        case 'cut':
          server.cut(one.how);
          return;
        case 'swallow':
          server.swallow = one.count;
          return;
        case 'down':
          server.isDown = one.isDown;
          return;
        case 'lag':
          server.cacheLag = one.versions;
          return;
        case 'wait':
          await clock.advance(one.ms);
          return;
        case 'babble':
        case 'deafen':
        case 'compact':
        case 'bookmark':
          server[one.do]();
      }
    }
  });
});

type StepOf<A> = A extends fc.Arbitrary<infer S> ? S : never;
