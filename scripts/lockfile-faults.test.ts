import { describe, expect, it } from '@jest/globals';
import { lockfileFaults } from './lockfile-faults.ts';

describe('lockfileFaults', () => {
  it('finds download addresses and packages that another platform would miss', () => {
    const lockfile = {
      packages: {
        'node_modules/@drydock/core': { resolved: 'packages/core', link: true },
        'node_modules/a': { resolved: 'https://registry.example/a.tgz' },
        'node_modules/b': { optionalDependencies: { 'b-darwin': '1.0.0', 'b-linux': '1.0.0', 'b-win32': '1.0.0' } },
        'node_modules/b-linux': {},
        'node_modules/b/node_modules/b-win32': {},
      },
    };

    const faults = lockfileFaults(JSON.stringify(lockfile));

    expect(faults).toEqual([
      'node_modules/a has a download address: https://registry.example/a.tgz',
      'b-darwin, an optional dependency of node_modules/b, is not locked',
    ]);
  });
});
