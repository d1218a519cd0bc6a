/**
 * The words of a review. They are a function of the task and the change alone, without clock or chance: every attempt
 * sends the same bytes, so the gateway answers what was asked before from its store, at no cost.
 */
import type { EarlierFinding, TaskContext } from '@drydock/core';
import { renderOverview } from '../diff/render-diff.ts';
import { readTextAsset } from '../read-text-asset.ts';
import type { ReviewedFile } from '../review-session.ts';
import { visibleText } from '../tools/visible-text.ts';

/** The same for every review: it is cached across them. */
export const systemPrompt = readTextAsset(new URL('system.md', import.meta.url));

const taskTemplate = readTextAsset(new URL('task.md', import.meta.url));

const maxTitleChars = 500;
const maxLabels = 50;
const maxDescriptionChars = 20_000;
const maxGuidelineChars = 60_000;
const maxEarlierFindings = 200;

/** The first message. Whatever people outside wrote stands between marks that they cannot know. */
export function buildTask(context: TaskContext, files: readonly ReviewedFile[]): string {
  const { mergeRequest, policy, delimiter: mark } = context;
  const leftOut = files.filter((file) => file.leftOut !== null).length;
  return fill(taskTemplate, {
    mark,
    title: untrustedLine(mergeRequest.title, mark),
    author: untrustedLine(mergeRequest.author, mark),
    sourceBranch: untrustedLine(mergeRequest.sourceBranch, mark),
    targetBranch: untrustedLine(mergeRequest.targetBranch, mark),
    labels: mergeRequest.labels
      .slice(0, maxLabels)
      .map((label) => untrustedLine(label, mark))
      .join(', '),
    description: untrusted(markHiddenComments(mergeRequest.description), mark, maxDescriptionChars),
    guidelines: guidelines(context),
    earlierFindings: earlierFindings(context.earlierFindings, mark),
    suggestions: policy.suggestions
      ? 'Give a suggestion where the fix is small and certain.'
      : 'Give no suggestions; they are switched off here.',
    leftOut:
      leftOut === 0 ? 'Nothing is left out.' : `${leftOut} of ${files.length} files are left out, with the reason.`,
    overview: withoutMark(renderOverview(files), mark),
  });
}

function guidelines({ guidelines: all, delimiter: mark }: TaskContext): string {
  if (all.length === 0) return 'The project has no guidelines for reviews.';
  let left = maxGuidelineChars;
  const parts = all.map(({ path, text }) => {
    const shown = untrusted(text, mark, left);
    left = Math.max(0, left - shown.length);
    return `${mark} begin guidelines ${untrustedLine(path, mark)}\n${shown}\n${mark} end`;
  });
  return ['Guidelines of the project, from its target branch:', ...parts].join('\n\n');
}

function earlierFindings(findings: readonly EarlierFinding[], mark: string): string {
  if (findings.length === 0) return 'There are no earlier findings.';
  const lines = findings.slice(0, maxEarlierFindings).map(({ path, line, severity, category, title, isResolved }) => {
    const place = line === null ? untrustedLine(path, mark) : `${untrustedLine(path, mark)}:${line}`;
    return `${place} (${severity} ${category}${isResolved ? ', resolved' : ''}) ${untrustedLine(title, mark)}`;
  });
  const rest = findings.length - lines.length;
  if (rest > 0) lines.push(`[and ${rest} more]`);
  return `Earlier findings, not to be repeated:\n\n${mark} begin earlier findings\n${lines.join('\n')}\n${mark} end`;
}

/** People who read the description do not see these; the model sees that they did not. An open one hides the rest. */
function markHiddenComments(description: string): string {
  return description.replace(/<!--([\s\S]*?)(?:-->|$)/g, '[hidden from readers: $1]');
}

function untrustedLine(text: string, mark: string): string {
  return untrusted(text.replace(/\s+/g, ' ').trim(), mark, maxTitleChars);
}

function untrusted(text: string, mark: string, maxChars: number): string {
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)} […${text.length - maxChars} more characters]` : text;
  return withoutMark(visibleText(cut), mark);
}

/** The mark is a MAC that nobody outside knows; should it ever leak, it still ends nothing. */
function withoutMark(text: string, mark: string): string {
  return text.replaceAll(mark, '[mark]');
}

/** In one pass, so that nothing that was filled in is filled in again. */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the prompt has no value for ${name}`);
    return value;
  });
}
