import { BlockedError, TerminalError, showHiddenCharacters, type MergeRequestRef, type Sha } from '@drydock/core';
import type { CommitStatus } from '@drydock/forge';
import type { PublishPorts } from './publish-ports.ts';
import { writeAndLook } from './write-and-look.ts';

const statusName = 'drydock/review';
const maxDescription = 200;

/**
 * Says it as a commit status, too. A forge that refuses (the commit is a fork's, the role is too low) does not undo the
 * review that stands: an operator is told.
 */
export async function putCommitStatus(
  { forge, log, clock }: PublishPorts,
  ref: MergeRequestRef,
  sha: Sha,
  status: Pick<CommitStatus, 'state' | 'description'>,
  signal: AbortSignal,
): Promise<void> {
  const description = showHiddenCharacters(status.description.replace(/\s+/g, ' ')).slice(0, maxDescription);
  try {
    await writeAndLook(clock, signal, {
      write: async () => {
        await forge.setCommitStatus(ref, sha, { name: statusName, state: status.state, description }, signal);
        return true;
      },
      look: () => Promise.resolve(null), // setting it again looks by itself
    });
  } catch (error) {
    const isRefused =
      error instanceof TerminalError || (error instanceof BlockedError && error.code === 'forge.forbidden');
    if (!isRefused) throw error;
    log.error(
      { forge: ref.forge, projectId: ref.projectId, iid: ref.iid, headSha: sha, err: error },
      'commit status refused',
    );
  }
}
