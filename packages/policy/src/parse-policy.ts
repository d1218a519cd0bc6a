import { ConfigError, ReviewPolicy } from '@drydock/core';
import { checkYaml } from './check-yaml.ts';
import type { YamlProblem } from './yaml-document.ts';

/** Reads the operator's policy file. Throws one `ConfigError` that names every problem with its line and column. */
export function parsePolicy(yamlText: string, fileName: string): ReviewPolicy {
  const checked = checkYaml(yamlText, { schema: ReviewPolicy, kind: 'policy', mayQuoteValues: false });
  if (checked.kind === 'valid') return checked.value;
  const lines = checked.problems.map((problem) => `  ${fileName}:${describeProblem(problem)}`);
  throw new ConfigError(`Wrong policy:\n${lines.join('\n')}`);
}

/** A problem in one line: `3:5 minSeverty: unknown key (did you mean minSeverity?)`. */
export function describeProblem({ line, column, path, message, didYouMean }: Omit<YamlProblem, 'width'>): string {
  const where = `${String(line)}:${String(column)}`;
  const hint = didYouMean === undefined ? '' : ` (did you mean ${didYouMean}?)`;
  return path === '' ? `${where} ${message}${hint}` : `${where} ${path}: ${message}${hint}`;
}
