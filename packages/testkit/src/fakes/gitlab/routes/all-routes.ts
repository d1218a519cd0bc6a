import type { ApiRoute } from '../api-route.ts';
import { approvalRoutes } from './approval-routes.ts';
import { awardRoutes } from './award-routes.ts';
import { discussionRoutes } from './discussion-routes.ts';
import { draftNoteRoutes } from './draft-note-routes.ts';
import { hookRoutes } from './hook-routes.ts';
import { mergeRequestRoutes } from './merge-request-routes.ts';
import { mergeRequestWriteRoutes } from './merge-request-write-routes.ts';
import { noteRoutes } from './note-routes.ts';
import { projectRoutes } from './project-routes.ts';
import { repositoryRoutes } from './repository-routes.ts';
import { statusRoutes } from './status-routes.ts';

/** Every route of the API that this fake serves. */
export function allRoutes(gitLabVersion: string): readonly ApiRoute[] {
  return [
    ...projectRoutes,
    ...mergeRequestRoutes,
    ...mergeRequestWriteRoutes,
    ...repositoryRoutes,
    ...noteRoutes,
    ...discussionRoutes(gitLabVersion),
    ...draftNoteRoutes(gitLabVersion),
    ...approvalRoutes,
    ...statusRoutes,
    ...awardRoutes,
    ...hookRoutes,
  ];
}
