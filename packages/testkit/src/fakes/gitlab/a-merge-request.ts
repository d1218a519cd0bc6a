import type { DiffPosition } from './check-position.ts';
import type { FakeGitLab } from './fake-gitlab.ts';

const base = Array.from({ length: 12 }, (_, index) => `line ${index + 1}\n`).join('');

/** A project with one merge request that changes line 5 of `a.txt`: for the tests of the fake itself. */
export async function aMergeRequestOn(gitlab: FakeGitLab) {
  const dana = gitlab.createUser({ username: 'dana', name: 'Dana Doe' });
  const project = await gitlab.createProject({ path: 'acme/shop', files: { 'a.txt': base, 'b.txt': 'b\n' } });
  gitlab.setRole(project, dana, 'maintainer');
  await gitlab.push(project, 'feature', { 'a.txt': base.replace('line 5\n', 'five\nand a half\n') }, { by: dana });
  const mergeRequest = await gitlab.openMergeRequest({ project, sourceBranch: 'feature', title: 'Half', author: dana });
  const place = { old_path: 'a.txt', new_path: 'a.txt', new_line: 6 };
  const position: DiffPosition = { ...gitlab.diffRefs(1), position_type: 'text', ...place };
  return {
    dana,
    danaToken: gitlab.createToken(dana),
    project,
    mergeRequest,
    position,
    path: `/projects/${project.id}/merge_requests/1`,
  };
}
