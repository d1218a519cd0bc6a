import { createHmac } from 'node:crypto';
import type { DiffRefs, Secret, TaskId } from '@drydock/core';

/**
 * What marks untrusted text in the prompts of a task. Nobody who writes such text can know it; every attempt at the
 * same change gets the same one, so that its prompts are the same bytes.
 */
export function taskDelimiter(key: Secret, taskId: TaskId, { baseSha, headSha }: DiffRefs): string {
  return createHmac('sha256', key.reveal())
    .update(['drydock-delimiter-1', taskId, baseSha, headSha].join('\0'))
    .digest('hex')
    .slice(0, 32);
}
