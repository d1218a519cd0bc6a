import { readOwnNotes, type FindingThread } from './own-notes.ts';
import type { ThreadPlan } from './plan-threads.ts';
import { assertWanted, type Publisher } from './review-to-publish.ts';
import { writeAndLook } from './write-and-look.ts';

/** Deletes, reopens and resolves own threads as planned. Gives how many were resolved. */
export async function tidyThreads(publisher: Publisher, threads: ThreadPlan): Promise<number> {
  const toResolve = publisher.review.policy.resolveFixed ? threads.toResolve : [];
  for (const thread of threads.toDelete) await removeThread(publisher, thread);
  for (const thread of threads.toReopen) await setResolved(publisher, thread, false);
  for (const thread of toResolve) await setResolved(publisher, thread, true);
  return toResolve.length;
}

async function removeThread(publisher: Publisher, { thread }: FindingThread): Promise<void> {
  const { ports, review, signal } = publisher;
  await writeAndLook(ports.clock, signal, {
    write: async () => {
      await assertWanted(publisher);
      await ports.forge.deleteNote(review.mergeRequest.ref, thread.note.id, signal);
      return true;
    },
    look: async () => ((await findThread(publisher, thread.id)) === undefined ? true : null),
  });
}

async function setResolved(publisher: Publisher, { thread }: FindingThread, isResolved: boolean): Promise<void> {
  const { ports, review, signal } = publisher;
  await writeAndLook(ports.clock, signal, {
    write: async () => {
      await assertWanted(publisher);
      await ports.forge.setResolved(review.mergeRequest.ref, thread.id, isResolved, signal);
      return true;
    },
    look: async () => {
      const found = await findThread(publisher, thread.id);
      return found === undefined || found.thread.isResolved === isResolved ? true : null;
    },
  });
}

async function findThread({ ports, review, signal }: Publisher, id: string): Promise<FindingThread | undefined> {
  const { threads } = await readOwnNotes(ports, review.mergeRequest.ref, signal);
  return threads.find(({ thread }) => thread.id === id);
}
