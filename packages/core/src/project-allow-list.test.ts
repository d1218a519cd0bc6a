import { describe, expect, it } from '@jest/globals';
import { projectAllowList } from './project-allow-list.ts';

describe('projectAllowList', () => {
  it.each<[readonly string[], string, string, boolean]>([
    [['shop/orders'], '1', 'shop/orders', true],
    [['shop/orders'], '1', 'Shop/Orders', true],
    [['shop/orders'], '1', 'shop/orders-2', false],
    [['shop/orders'], '1', 'evil/shop/orders', false],
    [['shop/*'], '1', 'shop/orders', true],
    [['shop/*'], '1', 'shop/deep/orders', false],
    [['shop/*'], '1', 'shop.evil/orders', false],
    [['shop/**'], '1', 'shop/deep/orders', true],
    [['shop/**'], '1', 'shop', false],
    [['shop/**'], '1', 'shopping/orders', false],
    [['s.op/orders'], '1', 'shop/orders', false],
    [['42'], '42', 'any/project', true],
    [['42'], '421', '42', false],
    [['*'], '1', 'any/deep/project', true],
    [[], '1', 'shop/orders', false],
    [['other/*', 'shop/*'], '1', 'shop/orders', true],
  ])('%j and project %s, %s: %p', (patterns, id, path, expected) => {
    expect(projectAllowList(patterns)(id, path)).toBe(expected);
  });
});
