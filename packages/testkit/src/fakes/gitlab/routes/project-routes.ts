import { z } from 'zod';
import { boolean, integer, optional, paging, text } from '../api-params.ts';
import { currentUserEntity, projectEntity, userEntity } from '../api-entities.ts';
import { json, list, projectOf, route, signedIn, type ApiRoute } from '../api-route.ts';
import { accessLevels, notFound } from '../gitlab-state.ts';

const projectFilters = {
  ...paging,
  membership: boolean.optional(),
  min_access_level: integer.optional(),
  archived: boolean.optional(),
  with_merge_requests_enabled: boolean.optional(),
  simple: boolean.optional(),
  id_after: integer.optional(),
  order_by: z.enum(['id', 'name', 'path', 'created_at', 'updated_at', 'last_activity_at']).default('created_at'),
  sort: z.enum(['asc', 'desc']).default('desc'),
};

/** Who am I, which GitLab is this, which projects are there and who belongs to them. */
export const projectRoutes: readonly ApiRoute[] = [
  route('GET', '/user', {}, (request) => json(currentUserEntity(request.world, signedIn(request)))),
  route('GET', '/version', {}, ({ world }) => json({ version: world.settings.version, revision: '0c3d5e7f809' })),
  route('GET', '/users', { ...paging, username: optional(text) }, ({ world, params }) => {
    const users = world.users.filter((user) => params.username === undefined || user.username === params.username);
    return list(
      users.map((user) => userEntity(world, user)),
      params,
    );
  }),
  route('GET', '/users/:user_id', {}, (request) => {
    signedIn(request);
    const user = request.world.users.find((candidate) => String(candidate.id) === request.path['user_id']);
    if (user === undefined) throw notFound('User');
    // Only the record of one user tells whether it is a bot.
    return json({ ...userEntity(request.world, user), bot: user.bot });
  }),
  route(
    'GET',
    '/projects',
    projectFilters,
    ({ world, user, params }) => {
      const minimum = params.min_access_level ?? (params.membership === true ? accessLevels.guest : 0);
      const sign = params.sort === 'asc' ? 1 : -1;
      // Ids grow with time: every order that this fake knows is that of the ids.
      const found = world.projects
        .filter((project) => world.canSee(project, user) && world.accessLevel(project, user) >= minimum)
        .filter((project) => params.archived !== true && project.id > (params.id_after ?? 0))
        .sort((left, right) => sign * (left.id - right.id));
      return list(
        found.map((project) => projectEntity(world, project)),
        params,
      );
    },
    { isAnonymous: true },
  ),
  route('GET', '/projects/:id', {}, (request) => json(projectEntity(request.world, projectOf(request))), {
    isAnonymous: true,
  }),
  route('GET', '/projects/:id/members/all/:user_id', {}, (request) => {
    const { world, path } = request;
    const project = projectOf(request);
    const user = world.users.find((candidate) => String(candidate.id) === path['user_id']);
    const level = user === undefined ? undefined : project.members.get(user.id);
    if (user === undefined || level === undefined) throw notFound();
    return json({ ...userEntity(world, user), access_level: level, expires_at: null, membership_state: 'active' });
  }),
  route(
    'GET',
    '/projects/:id/members/all',
    { ...paging, query: optional(text), user_ids: optional(integer) },
    (request) => {
      const { world } = request;
      const members = [...projectOf(request).members].map(([id, level]) => ({
        ...userEntity(world, world.user(id)),
        access_level: level,
        expires_at: null,
        membership_state: 'active',
      }));
      return list(members, request.params);
    },
  ),
];
