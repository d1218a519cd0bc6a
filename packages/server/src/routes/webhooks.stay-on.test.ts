import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@drydock/core';
import { MemoryTaskQueue } from '@drydock/queue';
import type { RunningServer } from '../start-server.ts';
import { aHook, startTestServer, tokenHeaders } from '../testing/test-server.ts';

/** All that a GitLab sends, to projects, groups and instances, by its `object_kind` or `event_name`. */
const otherEvents = [
  ...['push', 'tag_push', 'issue', 'work_item', 'wiki_page', 'pipeline', 'build', 'deployment', 'release', 'milestone'],
  ...['feature_flag', 'emoji', 'access_token', 'vulnerability', 'something_of_next_year'],
].map((kind) => [kind, { object_kind: kind, project: { id: 42, path_with_namespace: 'shop/orders' } }] as const);
const systemEvents = ['project_create', 'user_add_to_team', 'group_rename', 'repository_update'].map(
  (name) => [name, { event_name: name }] as const,
);
const ofMergeRequests = ['approved', 'unapproved', 'approval', 'unapproval', 'merge', 'close', 'of_next_year'].map(
  (action) => [`merge_request ${action}`, JSON.parse(aHook({ action })) as object] as const,
);
const oddOnes = [
  ['a merge request of another project', JSON.parse(aHook({}, 'other/one')) as object],
  ['a merge request of another shape', { object_kind: 'merge_request', object_attributes: null }],
  ['no kind at all', {}],
] as const;

/** Who answers four deliveries with 4xx or 5xx is told of no more: for a minute, then longer, then never. */
describe('a webhook that the forge is not to switch off', () => {
  let queue: MemoryTaskQueue;
  let server: RunningServer;
  beforeEach(async () => {
    queue = new MemoryTaskQueue({ clock: systemClock });
    server = await startTestServer({ queue });
  });
  afterEach(() => server.stop());

  const post = async (body: string): Promise<number> => {
    const init = { method: 'POST', headers: tokenHeaders, body };
    const response = await fetch(`${server.url}/webhooks/gitlab`, init);
    await response.arrayBuffer();
    return response.status;
  };

  it.each([...otherEvents, ...systemEvents, ...ofMergeRequests, ...oddOnes])(
    'reported 39: answers 200 to what it does not know or want: %s',
    async (_what, body) => {
      expect(await post(JSON.stringify(body))).toBe(200);
    },
  );

  it('reported 39: answers 200 to hundreds of deliveries that come at once', async () => {
    const bodies = Array.from({ length: 300 }, (_, index) => aHook({ iid: index + 1 }));

    const statuses = await Promise.all(bodies.map(post));

    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await queue.stats()).toMatchObject({ waiting: 300 });
  });
});
