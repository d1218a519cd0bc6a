import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseGitLabEvent } from './gitlab-webhook.ts';

const head = 'a'.repeat(40);

function hook(attributes: object = {}, rest: object = {}): object {
  return {
    object_kind: 'merge_request',
    user: { id: 3, username: 'ada' },
    project: { id: 42, path_with_namespace: 'shop/orders', web_url: 'http://evil.example', http_url: 'ext::sh -c id' },
    object_attributes: {
      iid: 7,
      action: 'open',
      last_commit: { id: head },
      updated_at: '2026-11-21 14:12:11 UTC',
      ...attributes,
    },
    ...rest,
  };
}

function note(attributes: object = {}, rest: object = {}): object {
  return {
    object_kind: 'note',
    user: { id: 3 },
    project: { id: 42, path_with_namespace: 'shop/orders' },
    object_attributes: {
      id: 11,
      note: '/drydock review',
      noteable_type: 'MergeRequest',
      action: 'create',
      ...attributes,
    },
    merge_request: { iid: 7, last_commit: { id: head } },
    ...rest,
  };
}

const subject = { projectId: '42', projectPath: 'shop/orders', iid: 7, headSha: head };
const label = (id: number) => ({ id, title: `label-${String(id)}` });

describe('parseGitLabEvent', () => {
  it.each<[string, object, string]>([
    ['an opened merge request', hook(), 'opened'],
    ['a reopened one', hook({ action: 'reopen' }), 'reopened'],
    ['a closed one', hook({ action: 'close' }), 'closed'],
    ['a merged one', hook({ action: 'merge' }), 'closed'],
    ['new code', hook({ action: 'update', oldrev: 'b'.repeat(40) }), 'pushed'],
    [
      'new code and a new label',
      hook(
        { action: 'update', oldrev: 'b'.repeat(40) },
        { changes: { labels: { previous: [], current: [label(1)] } } },
      ),
      'pushed',
    ],
    [
      'a new target branch',
      hook({ action: 'update' }, { changes: { target_branch: { previous: 'main', current: 'next' } } }),
      'retargeted',
    ],
    [
      'a gained label',
      hook({ action: 'update' }, { changes: { labels: { previous: [label(1)], current: [label(1), label(2)] } } }),
      'labeled',
    ],
    [
      'a gained reviewer',
      hook({ action: 'update' }, { changes: { reviewers: { previous: [], current: [{ id: 9 }] } } }),
      'review-requested',
    ],
    [
      'a draft made ready',
      hook({ action: 'update' }, { changes: { draft: { previous: true, current: false }, title: {} } }),
      'ready',
    ],
  ])('reads %s', (_name, body, trigger) => {
    const event = parseGitLabEvent(body);

    expect(event).toEqual({
      kind: 'merge-request-changed',
      trigger,
      ...subject,
      occurredAtMs: Date.UTC(2026, 10, 21, 14, 12, 11),
    });
  });

  it.each<[string, object, string]>([
    [
      'a new title',
      hook({ action: 'update' }, { changes: { title: { previous: 'a', current: 'b' } } }),
      'nothing-relevant-changed',
    ],
    ['empty changes', hook({ action: 'update' }, { changes: {} }), 'nothing-relevant-changed'],
    ['no changes', hook({ action: 'update' }), 'nothing-relevant-changed'],
    ['an empty oldrev', hook({ action: 'update', oldrev: '' }), 'nothing-relevant-changed'],
    [
      'a lost label',
      hook({ action: 'update' }, { changes: { labels: { previous: [label(1)], current: [] } } }),
      'nothing-relevant-changed',
    ],
    [
      'ready made draft',
      hook({ action: 'update' }, { changes: { draft: { previous: false, current: true } } }),
      'nothing-relevant-changed',
    ],
    ['an approval', hook({ action: 'approved' }), 'approval'],
    [
      'a reset approval',
      hook({ action: 'unapproval', system: true, system_action: 'approvals_reset_on_push' }),
      'approval',
    ],
    ['an action of the future', hook({ action: 'pondered' }), 'unknown-action'],
    ['another event', { object_kind: 'pipeline' }, 'unknown-event'],
    ['a comment on an issue', note({ noteable_type: 'Issue' }, { merge_request: undefined }), 'not-on-a-merge-request'],
    ['an edited comment', note({ action: 'update' }), 'comment-edited'],
    ['a system note', note({ system: true }), 'system-note'],
  ])('ignores %s', (_name, body, why) => {
    expect(parseGitLabEvent(body)).toEqual({ kind: 'ignored', why });
  });

  it('reads a comment, also of a GitLab that names no action', () => {
    const expected = {
      kind: 'commented',
      ...subject,
      occurredAtMs: null,
      noteId: '11',
      userId: '3',
      body: '/drydock review',
    };

    expect(parseGitLabEvent(note())).toEqual(expected);
    expect(parseGitLabEvent(note({ action: undefined }))).toEqual(expected);
  });

  it.each<[string, unknown, string]>([
    ['no object', 'merge_request', 'body: invalid_type'],
    ['no kind', {}, 'object_kind: invalid_type'],
    ['an iid in words', hook({ iid: 'seven' }), 'object_attributes.iid: invalid_type'],
    ['an id past 2^53', hook({ iid: 2 ** 53 }), 'object_attributes.iid: too_big'],
    ['no project', hook({}, { project: undefined }), 'project: invalid_type'],
  ])('names the place of %s', (_name, body, problems) => {
    expect(parseGitLabEvent(body)).toEqual({ kind: 'unreadable', problems });
  });

  it.each<[string, object]>([
    ['an id that is none', { id: '--upload-pack=x' }],
    ['a commit of another shape', { id: 7, parents: [] }],
    ['no object', ['a'.repeat(40)]],
  ])('takes a head that is no commit id as none: %s', (_name, lastCommit) => {
    const event = parseGitLabEvent(hook({ last_commit: lastCommit }));

    expect(event).toMatchObject({ kind: 'merge-request-changed', headSha: null });
  });

  it.each<[string, object, object]>([
    ['labels', {}, { changes: { labels: { previous: 'none', current: [label(1)] } } }],
    [
      'a thousand labels',
      {},
      { changes: { labels: { previous: [], current: Array.from({ length: 1000 }, (_, id) => label(id)) } } },
    ],
    ['changes', {}, { changes: 'all of it' }],
    ['a time', { updated_at: 17 }, {}],
  ])('reads a push whatever else is of another shape: %s', (_name, attributes, rest) => {
    const event = parseGitLabEvent(hook({ action: 'update', oldrev: 'b'.repeat(40), ...attributes }, rest));

    expect(event).toMatchObject({ kind: 'merge-request-changed', trigger: 'pushed', headSha: head });
  });

  it('says so when nothing but the changes could tell, and these are of another shape', () => {
    const event = parseGitLabEvent(hook({ action: 'update' }, { changes: { labels: 'many' } }));

    expect(event).toEqual({ kind: 'unreadable', problems: 'changes.labels: invalid_type' });
  });

  it('keeps nothing but the named fields, and pollutes nothing, whatever it is fed', () => {
    const poisoned: unknown = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"object_kind":"note"}',
    );
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.anything(), fc.constant(poisoned)),
        fc.constantFrom('merge_request', 'note', 'push'),
        (value, kind) => {
          for (const body of [
            value,
            { object_kind: kind, project: value, object_attributes: value, changes: value, merge_request: value },
          ]) {
            expect(['ignored', 'unreadable', 'merge-request-changed', 'commented']).toContain(
              parseGitLabEvent(body).kind,
            );
          }
          expect({}).not.toHaveProperty('polluted');
        },
      ),
      { numRuns: 2000 },
    );
  });
});
