/** As task-queue.model.redis.test.ts, over courses long enough for all that needs many steps. */
import { describeModel } from './contract/model-suite.ts';
import { sequencesOver } from './contract/queue-model.ts';

describeModel(
  'long courses of two projects',
  75,
  sequencesOver(
    [
      { forge: 'gitlab', projectId: '42' },
      { forge: 'github', projectId: '7' },
    ],
    { minLength: 60, maxLength: 120 },
  ),
  { seesAll: true },
);
