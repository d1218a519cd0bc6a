/** What is valid in a file but has no effect, or another one than it seems to have. */
import {
  Category,
  anyGlob,
  compareSeverity,
  type RepositoryConfig,
  type ReviewPolicy,
  type Severity,
} from '@drydock/core';
import { nearestWord } from './nearest-word.ts';
import { oddGlob } from './odd-glob.ts';
import type { YamlPath } from './yaml-document.ts';

/** A warning, and the value that it is about. */
export interface Ineffective {
  readonly path: YamlPath;
  readonly message: string;
  readonly didYouMean?: string;
}

/** Of a policy. */
export function ineffectiveInPolicy(policy: ReviewPolicy): readonly Ineffective[] {
  const { budget, skipLabels } = policy;
  return [
    ...labelsIn(['skipLabels'], skipLabels),
    ...labelsIn(['triggerLabels'], policy.triggerLabels),
    ...policy.triggerLabels.flatMap((label, index) =>
      skipLabels.includes(label)
        ? [{ path: ['triggerLabels', index], message: 'has no effect: it is one of skipLabels too, which goes first' }]
        : [],
    ),
    ...globsIn(['ignorePaths'], policy.ignorePaths),
    ...globsIn(['onlyPaths'], policy.onlyPaths),
    ...policy.onlyPaths.flatMap((glob, index) =>
      policy.ignorePaths.includes(glob)
        ? [{ path: ['onlyPaths', index], message: 'has no effect: it is one of ignorePaths too, which goes first' }]
        : [],
    ),
    ...thresholds(policy),
    ...over(budget.usdPerRun, budget.usdPerDay, ['budget', 'usdPerRun'], 'usdPerDay'),
    ...over(budget.tokensPerRun, budget.tokensPerDay, ['budget', 'tokensPerRun'], 'tokensPerDay'),
    ...over(budget.maxOutputTokensPerTurn, budget.tokensPerRun, ['budget', 'maxOutputTokensPerTurn'], 'tokensPerRun'),
  ];
}

/** Of a repository's wishes under a policy: most of all, what would widen it. */
export function ineffectiveWishes(
  wishes: RepositoryConfig,
  policy: ReviewPolicy,
  trackedPaths: readonly string[] | null,
): readonly Ineffective[] {
  const { minSeverity, minConfidence, maxComments, maxUsdPerRun, failOn, ignorePaths = [], skipLabels = [] } = wishes;
  const { enabled } = wishes;
  const found: Ineffective[] = [];
  const warn = (key: string, message: string) => found.push({ path: [key], message });
  if (enabled === false && Object.keys(wishes).length > 2) warn('enabled', 'is false: nothing else here has an effect');
  if (enabled === true && !policy.enabled) warn('enabled', 'has no effect: the policy has switched reviews off');
  if (minSeverity !== undefined && compareSeverity(minSeverity, policy.minSeverity) < 0) {
    warn('minSeverity', `has no effect: it can only be raised, and the policy's is ${policy.minSeverity}`);
  }
  if (minConfidence !== undefined && minConfidence < policy.minConfidence) {
    warn('minConfidence', `has no effect: it can only be raised, and the policy's is ${String(policy.minConfidence)}`);
  }
  if (maxComments !== undefined && maxComments > policy.maxComments) {
    warn('maxComments', `has no effect: it can only be lowered, and the policy's is ${String(policy.maxComments)}`);
  }
  if (maxUsdPerRun !== undefined && maxUsdPerRun > policy.budget.usdPerRun) {
    const theirs = String(policy.budget.usdPerRun);
    warn('maxUsdPerRun', `has no effect: it can only be lowered, and the policy's budget.usdPerRun is ${theirs}`);
  }
  if (failOn !== undefined && minSeverity !== undefined && compareSeverity(failOn, minSeverity) < 0) {
    warn('failOn', `is milder than minSeverity: findings below ${minSeverity} are held back, and fail nothing`);
  }
  const narrowed = { ...policy, minSeverity: minSeverity ?? policy.minSeverity };
  return [
    ...found,
    ...(minSeverity === undefined ? [] : unreachable(narrowed)),
    ...(maxComments === 0 ? [nothingPosted] : []),
    ...labelsIn(['skipLabels'], skipLabels),
    ...globsIn(['ignorePaths'], ignorePaths),
    ...(trackedPaths === null || trackedPaths.length === 0 ? [] : matchingNothing(ignorePaths, trackedPaths)),
  ];
}

const nothingPosted = {
  path: ['maxComments'],
  message: 'is 0: every finding is held back, and counted in the summary',
};

function thresholds(policy: ReviewPolicy): readonly Ineffective[] {
  const { minSeverity, blockAt } = policy;
  return [
    ...unreachable(policy),
    ...(policy.maxComments === 0 ? [nothingPosted] : []),
    ...(blockAt !== null && compareSeverity(blockAt, highestOf(policy)) > 0
      ? [{ path: ['blockAt'], message: `is never reached: severityCaps end at ${highestOf(policy)}` }]
      : []),
    ...(blockAt !== null && compareSeverity(blockAt, minSeverity) < 0
      ? [{ path: ['blockAt'], message: `is milder than minSeverity: findings below ${minSeverity} are held back` }]
      : []),
  ];
}

function unreachable(policy: Pick<ReviewPolicy, 'minSeverity' | 'severityCaps'>): readonly Ineffective[] {
  const highest = highestOf(policy);
  if (compareSeverity(policy.minSeverity, highest) <= 0) return [];
  return [{ path: ['minSeverity'], message: `is never reached: severityCaps end at ${highest}, so nothing is shown` }];
}

/** The highest severity that any category may reach. */
function highestOf({ severityCaps }: Pick<ReviewPolicy, 'severityCaps'>): Severity {
  return Category.options
    .map((category) => severityCaps[category] ?? 'critical')
    .reduce((left, right) => (compareSeverity(left, right) >= 0 ? left : right));
}

function over(part: number, whole: number, path: YamlPath, name: string): readonly Ineffective[] {
  return part > whole ? [{ path, message: `is more than ${name} (${String(whole)}), which ends it before` }] : [];
}

const ownLabels = ['drydock:skip', 'drydock:review'];

function labelsIn(path: YamlPath, labels: readonly string[]): readonly Ineffective[] {
  return labels.flatMap((label, index): Ineffective[] => {
    const at = [...path, index];
    if (label.trim() === '') return [{ path: at, message: 'is empty: no label is' }];
    if (label !== label.trim()) return [{ path: at, message: 'has white space around it', didYouMean: label.trim() }];
    if (label.includes(',')) {
      return [{ path: at, message: 'has a comma: one entry is one label' }];
    }
    if (labels.indexOf(label) < index) return [{ path: at, message: 'stands in the list already' }];
    const own = ownLabels.includes(label) ? null : nearestWord(label, ownLabels);
    return own === null ? [] : [{ path: at, message: `is a label that is nearly ${own}`, didYouMean: own }];
  });
}

function globsIn(path: YamlPath, globs: readonly string[]): readonly Ineffective[] {
  return globs.flatMap((glob, index): Ineffective[] => {
    const odd = globs.indexOf(glob) < index ? { message: 'stands in the list already' } : oddGlob(glob);
    return odd === null ? [] : [{ path: [...path, index], ...odd }];
  });
}

function matchingNothing(globs: readonly string[], trackedPaths: readonly string[]): readonly Ineffective[] {
  return globs.flatMap((glob, index) =>
    oddGlob(glob) !== null || trackedPaths.some(anyGlob([glob]))
      ? []
      : [{ path: ['ignorePaths', index], message: 'matches no file of this repository' }],
  );
}
