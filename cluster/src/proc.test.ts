import { describe, expect, it } from '@jest/globals';
import { identify, isAlive, membersOf, readProcesses, type ProcessFacts } from './proc.ts';

const folder = '/state/dev';
const facts = (pid: number, rest: Partial<ProcessFacts> = {}): ProcessFacts => ({
  pid,
  parentPid: 1,
  mark: null,
  netns: 'net:[1]',
  ...rest,
});
const membership = { folder, netns: ['net:[7]', 'net:[8]'], cgroupPids: new Set([44]) };

describe('membersOf', () => {
  it('knows a process by its mark, its network or its cgroup, each alone', () => {
    const processes = [
      facts(41, { mark: folder }),
      facts(42, { netns: 'net:[7]' }),
      facts(43, { netns: 'net:[8]' }),
      facts(44),
      facts(45, { mark: '/state/dev-2' }),
      facts(46, { netns: null }),
    ];

    expect(membersOf(membership, processes, 99)).toEqual([41, 42, 43, 44]);
  });

  it('spares who asks and what that was started by, wherever they are', () => {
    const inside = { netns: 'net:[7]' };
    const processes = [
      facts(50, inside),
      facts(51, { ...inside, parentPid: 50 }),
      facts(52, { ...inside, parentPid: 51 }),
    ];

    expect(membersOf(membership, processes, 51)).toEqual([52]);
  });

  it('never names the first process of the machine', () => {
    expect(membersOf(membership, [facts(1, { netns: 'net:[7]', parentPid: 0 })], 99)).toEqual([]);
  });
});

describe('a process', () => {
  it('is the one that was seen, not another one of its number', () => {
    const self = identify(process.pid);
    if (self === null) throw new Error('this process runs');

    expect(isAlive(self)).toBe(true);
    expect(isAlive({ ...self, startTicks: '1' })).toBe(false);
    expect(isAlive({ ...self, bootId: 'of another boot' })).toBe(false);
    expect(readProcesses().find(({ pid }) => pid === process.pid)?.parentPid).toBe(process.ppid);
  });
});
