import { describe, expect, it } from '@jest/globals';
import { crashAt } from './crash-point.ts';
import { ConfigError } from './errors.ts';

describe('crashAt', () => {
  function deathsAt(wanted: string, reached: readonly Parameters<NonNullable<ReturnType<typeof crashAt>>>[0][]) {
    let deaths = 0;
    const reach = crashAt({ DRYDOCK_CRASH_AT: wanted, NODE_ENV: 'test' }, () => {
      deaths += 1;
    });
    for (const point of reached) reach?.(point);
    return deaths;
  }

  it('dies at the point it names, once', () => {
    expect(deathsAt('task.leased', ['task.leased', 'task.observed', 'task.leased'])).toBe(1);
    expect(deathsAt('task.leased', ['task.observed'])).toBe(0);
  });

  it('dies the nth time where a number says so', () => {
    expect(deathsAt('publish.posted:2', ['publish.posted'])).toBe(0);
    expect(deathsAt('publish.posted:2', ['publish.posted', 'publish.posted'])).toBe(1);
  });

  it('is nothing without the variable', () => {
    expect(crashAt({ NODE_ENV: 'test' }, () => undefined)).toBeUndefined();
    expect(crashAt({ DRYDOCK_CRASH_AT: '' }, () => undefined)).toBeUndefined();
  });

  it.each([undefined, '', 'production', 'development'])('refuses to start where NODE_ENV is %p', (mode) => {
    expect(() => crashAt({ DRYDOCK_CRASH_AT: 'task.leased', NODE_ENV: mode }, () => undefined)).toThrow(ConfigError);
  });

  it.each(['nowhere', 'task.nowhere', 'task.leased:0', 'task.leased:x'])('refuses %p', (wanted) => {
    expect(() => crashAt({ DRYDOCK_CRASH_AT: wanted, NODE_ENV: 'test' }, () => undefined)).toThrow(/no such point/);
  });
});
