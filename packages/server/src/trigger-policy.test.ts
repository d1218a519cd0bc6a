import { describe, expect, it } from '@jest/globals';
import { TaskRequest, type Trigger } from '@drydock/core';
import type { ForgeEvent } from '@drydock/forge';
import { triage } from './trigger-policy.ts';

const subject = {
  projectId: '42',
  projectPath: 'shop/orders',
  iid: 7,
  headSha: 'a'.repeat(40),
  occurredAtMs: 1_790_000_000_000,
};
const comment = { ...subject, kind: 'commented', noteId: '11', userId: '3', body: '/drydock review' } as const;
const everything = () => true;

describe('triage', () => {
  it.each<Trigger>(['opened', 'reopened', 'pushed', 'ready', 'labeled', 'retargeted', 'review-requested', 'closed'])(
    'records what was %s as a fact, whatever policy will say',
    (trigger) => {
      const found = triage('gitlab', { ...subject, kind: 'merge-request-changed', trigger }, everything);

      expect(found).toEqual({
        kind: 'enqueue',
        request: {
          v: 1,
          kind: 'review',
          subject: { forge: 'gitlab', projectId: '42', iid: 7 },
          projectPath: 'shop/orders',
          trigger,
          headSha: 'a'.repeat(40),
          occurredAtMs: 1_790_000_000_000,
          command: null,
        },
      });
      expect(TaskRequest.safeParse(found.kind === 'enqueue' ? found.request : null).success).toBe(true);
    },
  );

  it('records who gave a command, and not whether that person may', () => {
    expect(triage('gitlab', comment, everything)).toMatchObject({
      kind: 'enqueue',
      request: { trigger: 'commanded', command: { verb: 'review', noteId: '11', userId: '3' } },
    });
  });

  it('names the forge by its own name, not by what a payload says', () => {
    expect(triage('gitlab-eu', comment, everything)).toMatchObject({ request: { subject: { forge: 'gitlab-eu' } } });
  });

  it.each<[ForgeEvent, string]>([
    [{ kind: 'ignored', why: 'approval' }, 'ignored-approval'],
    [{ kind: 'unreadable', problems: 'project: invalid_type' }, 'unreadable'],
    [{ ...comment, body: 'nice work' }, 'ignored-no-command'],
    [{ ...comment, body: '> /drydock review' }, 'ignored-no-command'],
  ])('drops %j', (event, outcome) => {
    expect(triage('gitlab', event, everything)).toMatchObject({ kind: 'drop', outcome });
  });

  it('drops events of projects that are not on the list, told by id and path', () => {
    const asked: string[][] = [];
    const nothing = (id: string, path: string) => {
      asked.push([id, path]);
      return false;
    };

    for (const event of [comment, { ...subject, kind: 'merge-request-changed', trigger: 'opened' } as const]) {
      expect(triage('gitlab', event, nothing)).toEqual({ kind: 'drop', outcome: 'project-not-allowed' });
    }
    expect(asked).toEqual([
      ['42', 'shop/orders'],
      ['42', 'shop/orders'],
    ]);
  });
});
