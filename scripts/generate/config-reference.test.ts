import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { settingsTable } from './config-reference.ts';

describe('settingsTable', () => {
  it('names the variable, the default and the meaning of each key', () => {
    const table = settingsTable(
      z.object({
        maxRunningJobs: z.coerce.number().int().default(10).describe('Jobs at once'),
        apiKey: z.string().describe('The key | of the model').meta({ env: 'ANTHROPIC_API_KEY' }),
        logLevel: z.enum(['info', 'debug']).default('info').describe('What is logged'),
      }),
    );

    expect(table.split('\n').slice(2, 5)).toEqual([
      '| `maxRunningJobs` | `DRYDOCK_MAX_RUNNING_JOBS` | `10` | Jobs at once |',
      '| `apiKey` | `ANTHROPIC_API_KEY` | required | The key \\| of the model |',
      '| `logLevel` | `DRYDOCK_LOG_LEVEL` | `info` | What is logged; one of `info`, `debug` |',
    ]);
  });

  it('finds default and description under any wrapper', () => {
    const list = z.string().transform((text) => text.split(','));

    const table = settingsTable(
      z.object({
        flag: z.stringbool().describe('A flag').default(true),
        names: list.default(['a', 'b']).describe('Names'),
        limit: z.preprocess(Number, z.int().describe('A limit')).optional(),
        url: z.url().prefault('http://localhost').describe('An address'),
      }),
    );

    expect(table.split('\n').slice(2, 6)).toEqual([
      '| `flag` | `DRYDOCK_FLAG` | `true` | A flag |',
      '| `names` | `DRYDOCK_NAMES` | `a,b` | Names |',
      '| `limit` | `DRYDOCK_LIMIT` | unset | A limit |',
      '| `url` | `DRYDOCK_URL` | `http://localhost` | An address |',
    ]);
  });

  it('refuses a setting that nobody described', () => {
    expect(() => settingsTable(z.object({ port: z.coerce.number() }))).toThrow('port has no .describe()');
  });
});
