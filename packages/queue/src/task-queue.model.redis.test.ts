/** Random sequences of operations leave the queue on Redis and the one in memory in the same state after each step. */
import { describeModel } from './contract/model-suite.ts';
import { sequencesOver } from './contract/queue-model.ts';

describeModel(
  'two tasks of one project',
  5_000,
  sequencesOver([{ forge: 'gitlab', projectId: '42' }], { minLength: 4, maxLength: 9 }),
);
