import { createInterface } from 'node:readline/promises';
import type { ReviewReport } from '@drydock/core';
import { count } from '../report/report-words.ts';

/** A terminal on both sides: somebody can be asked. */
export interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** Whether the person at the terminal wants the review to stand on the merge request. Anything but a yes is a no. */
export async function askToPost(
  { findings, change }: ReviewReport,
  { input, output }: Terminal,
  signal: AbortSignal,
): Promise<boolean> {
  const fresh = findings.filter((finding) => finding.isNew).length;
  const asking = createInterface({ input, output });
  try {
    const answer = await asking.question(
      `Post ${count(fresh, 'new finding')} and the summary to ${change.webUrl ?? 'the merge request'}? [y/N] `,
      { signal },
    );
    return /^y(?:es)?$/i.test(answer.trim());
  } catch (error) {
    if (signal.aborted || (error instanceof Error && error.name === 'AbortError')) return false;
    throw error;
  } finally {
    asking.close();
  }
}
