/** As task-queue.model.redis.test.ts, over several projects and forges. */
import { describeModel } from './contract/model-suite.ts';
import { sequencesOver } from './contract/queue-model.ts';

describeModel(
  'four projects of two forges',
  5_000,
  sequencesOver(
    [
      { forge: 'gitlab', projectId: '42' },
      { forge: 'gitlab', projectId: '7' },
      { forge: 'github', projectId: '42' },
      { forge: 'github', projectId: '100' },
    ],
    { minLength: 5, maxLength: 11 },
  ),
);
