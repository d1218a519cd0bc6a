/**
 * Rules of a SARIF log. GitHub takes severities of security alerts from the rule and not from the result, so that security
 * findings of a model have a rule for each severity; a named rule gets the worst of its findings.
 *
 * @see https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
 */
import {
  compareSeverity,
  showHiddenCharacters,
  type Category,
  type ReportedFinding,
  type Severity,
} from '@drydock/core';
import { severities } from './report-words.ts';

/** How SARIF names severities. */
export const levelOf: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  critical: 'error',
  high: 'error',
  medium: 'warning',
  low: 'note',
};

/** In the middle of the ranges in which GitHub says critical, high, medium and low. */
const securitySeverity: Readonly<Record<Severity, string>> = {
  critical: '9.5',
  high: '8.0',
  medium: '5.5',
  low: '2.5',
};

const about: Readonly<Record<Category, string>> = {
  correctness: 'Code that does something else than it should',
  security: 'Code that someone could misuse',
  performance: 'Code that is slower or needs more than it has to',
  tests: 'Tests that are missing, or that do not hold what they should',
  maintainability: 'Code that is hard to read or to change',
  documentation: 'Documentation that is missing or wrong',
};

/** A `reportingDescriptor`. */
export interface SarifRule {
  readonly id: string;
  readonly name: string;
  readonly shortDescription: { readonly text: string };
  readonly fullDescription: { readonly text: string };
  readonly help: { readonly text: string };
  readonly defaultConfiguration: { readonly level: 'error' | 'warning' | 'note' };
  readonly properties: Readonly<Record<string, string | readonly string[]>>;
}

/** The rule of a finding: by its name, or else by its category. The same in every review. */
export function ruleIdOf({ rule, category, severity }: ReportedFinding): string {
  if (rule !== null) return `drydock/rule/${showHiddenCharacters(rule)}`;
  return category === 'security' ? `drydock/security/${severity}` : `drydock/${category}`;
}

/** The categories, the same in every log, and the named rules among the findings. */
export function sarifRules(findings: readonly ReportedFinding[]): SarifRule[] {
  const rules = new Map<string, SarifRule>();
  for (const category of Object.keys(about) as Category[]) {
    for (const severity of category === 'security' ? severities : (['medium'] as const)) {
      const rule = categoryRule(category, severity);
      rules.set(rule.id, rule);
    }
  }
  const worstFirst = [...findings].sort((left, right) => compareSeverity(right.severity, left.severity));
  for (const finding of worstFirst) {
    const id = ruleIdOf(finding);
    if (finding.rule !== null && !rules.has(id)) rules.set(id, namedRule(id, finding));
  }
  return [...rules.values()];
}

function categoryRule(category: Category, severity: Severity): SarifRule {
  const isSecurity = category === 'security';
  return {
    id: isSecurity ? `drydock/security/${severity}` : `drydock/${category}`,
    name: isSecurity ? `Security (${severity})` : `${category.charAt(0).toUpperCase()}${category.slice(1)}`,
    shortDescription: { text: about[category] },
    fullDescription: {
      text: `${about[category]}. Found by a model that read the change; the code it quotes was checked.`,
    },
    help: { text: 'A model judged this: look at the code before you act on it.' },
    defaultConfiguration: { level: levelOf[severity] },
    properties: { tags: [category], precision: 'medium', ...(isSecurity ? securityOf(severity) : {}) },
  };
}

function namedRule(id: string, { rule, category, severity }: ReportedFinding): SarifRule {
  const name = showHiddenCharacters(rule ?? category);
  return {
    id,
    name,
    shortDescription: { text: `${about[category]} (${name})` },
    fullDescription: { text: `${about[category]}. Found by the rule ${name}, without a model.` },
    help: { text: `Found by the rule ${name}, without a model.` },
    defaultConfiguration: { level: levelOf[severity] },
    properties: { tags: [category], precision: 'high', ...(category === 'security' ? securityOf(severity) : {}) },
  };
}

function securityOf(severity: Severity): Readonly<Record<string, string>> {
  return { 'security-severity': securitySeverity[severity] };
}
