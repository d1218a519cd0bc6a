import { describeProblem, renderPolicy, type ConfigCheck, type ConfigKind, type YamlProblem } from '@drydock/policy';
import pc from 'picocolors';
import stringWidth from 'string-width';
import type { TextLook } from '../report/text-look.ts';
import { visibleLine } from '../report/visible-text.ts';

/** A file, and what was found in it. */
export interface CheckedFile {
  readonly file: string;
  readonly configKind: ConfigKind;
  readonly text: string;
  readonly check: ConfigCheck;
}

/** What is wrong or idle in a file, each with its line; else one line on what is in force. */
export function renderConfigCheck(checked: CheckedFile, look: TextLook): string {
  const { file, check, configKind } = checked;
  const colours = pc.createColors(look.isColoured);
  if (check.kind === 'invalid') {
    const count = `${String(check.problems.length)} problem${check.problems.length === 1 ? '' : 's'}`;
    return `${renderProblems(checked, check.problems, look)}\n${colours.red(`${visibleLine(file)}: ${count}`)}\n`;
  }
  const { differences, warnings } = check;
  const told = warnings.length === 0 ? '' : `${renderProblems(checked, warnings, look)}\n`;
  const where = configKind === 'policy' ? 'Other than by default' : 'With it, other than by default';
  const inForce =
    differences.length === 0 ? 'All is as by default' : `${where}: ${differences.map(visibleLine).join(', ')}`;
  return `${told}${colours.green(`${visibleLine(file)} is right.`)} ${inForce}.\n`;
}

/** The settings that hold with a file, as a policy file. */
export function renderEffective({ file, check }: CheckedFile): string {
  return check.kind === 'invalid' ? '' : `# in force with ${visibleLine(file)}\n${renderPolicy(check.effective)}`;
}

/** The same for programs. */
export function configCheckAsJson({ file, configKind, check }: CheckedFile): object {
  const isValid = check.kind === 'valid';
  return {
    file,
    kind: configKind,
    isValid,
    problems: isValid ? [] : check.problems,
    warnings: isValid ? check.warnings : [],
    differences: isValid ? check.differences : [],
    effective: isValid ? check.effective : null,
  };
}

/** Each problem with its line and a mark under the place. */
export function renderProblems(checked: CheckedFile, problems: readonly YamlProblem[], look: TextLook): string {
  const colours = pc.createColors(look.isColoured);
  const lines = checked.text.split(/\r?\n/);
  const isError = checked.check.kind === 'invalid';
  return problems
    .map((problem) => {
      const place = `${visibleLine(checked.file)}:${String(problem.line)}:${String(problem.column)}`;
      const rest = visibleLine(
        describeProblem(problem).slice(`${String(problem.line)}:${String(problem.column)} `.length),
      );
      const what = isError ? rest : `${colours.yellow('warning:')} ${rest}`;
      return `${colours.bold(place)} ${what}\n${marked(lines[problem.line - 1] ?? '', problem, look)}`;
    })
    .join('\n');
}

const maxBefore = 60;
const maxShown = 100;

/** The line, cut around the place if it is long, and carets under the place. */
function marked(line: string, { column, width }: YamlProblem, look: TextLook): string {
  const colours = pc.createColors(look.isColoured);
  const isCut = column - 1 > maxBefore;
  const from = isCut ? column - 1 - maxBefore : 0;
  const before = `${isCut ? '…' : ''}${line.slice(from, column - 1).toWellFormed()}`;
  const part = line.slice(column - 1, column - 1 + Math.min(width, maxShown)).toWellFormed();
  const rest = line.slice(column - 1 + part.length, from + maxShown).toWellFormed();
  const after = from + maxShown < line.length ? `${rest}…` : rest;
  const shown = visibleLine(before + part + after);
  const start = stringWidth(visibleLine(before));
  const length = Math.max(1, stringWidth(visibleLine(before + part)) - start);
  return `    ${shown}\n    ${' '.repeat(start)}${colours.red('^'.repeat(length))}`;
}
