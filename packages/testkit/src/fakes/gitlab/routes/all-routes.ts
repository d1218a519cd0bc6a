import type { ApiRoute } from '../api-route.ts';
import { discussionRoutes } from './discussion-routes.ts';
import { mergeRequestRoutes } from './merge-request-routes.ts';
import { noteRoutes } from './note-routes.ts';
import { projectRoutes } from './project-routes.ts';

/** Every route of the API that this fake serves. */
export function allRoutes(gitLabVersion: string): readonly ApiRoute[] {
  return [...projectRoutes, ...mergeRequestRoutes, ...noteRoutes, ...discussionRoutes(gitLabVersion)];
}
