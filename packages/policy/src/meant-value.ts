/** Guesses what somebody meant by a value that is wrong. */
import type { ExpectedValue } from './expected-value.ts';
import { nearestWord } from './nearest-word.ts';

/** A guess. `isKnown`: it is a word of ours, and holds nothing of the file. */
export interface MeantValue {
  readonly text: string;
  readonly isKnown: boolean;
}

/** What people write for a word of ours, from other tools and other languages. */
const synonyms: Readonly<Record<string, readonly string[]>> = {
  low: ['info', 'information', 'minor', 'note', 'hint', 'trivial', 'nit', 'style'],
  medium: ['warning', 'warn', 'moderate', 'normal', 'middle'],
  high: ['error', 'major', 'important', 'severe'],
  critical: ['blocker', 'fatal', 'urgent', 'worst'],
  correctness: ['bug', 'bugs', 'logic'],
  security: ['sec', 'vulnerability', 'vulnerabilities'],
  performance: ['perf', 'speed'],
  tests: ['test', 'testing', 'coverage'],
  maintainability: ['style', 'quality', 'refactoring', 'readability'],
  documentation: ['doc', 'docs', 'comments'],
  review: ['all', 'any', 'always', 'allow', 'yes', 'true', 'on'],
  skip: ['never', 'ignore', 'none', 'no', 'false', 'off', 'deny'],
  guest: ['everyone', 'anyone'],
  reporter: ['read', 'triage'],
  developer: ['write', 'contributor'],
  maintainer: ['master', 'maintain'],
  owner: ['admin', 'administrator'],
  true: ['yes', 'y', 'on', '1', 'enabled'],
  false: ['no', 'n', 'off', '0', 'disabled'],
  null: ['none', 'never', 'no', 'off', 'false', 'nothing'],
};

/** The value that was meant, as it is written in YAML; null: there is no guess. */
export function meantValue(expected: ExpectedValue, value: unknown, key: string): MeantValue | null {
  if (expected.type === 'array') return guessed(meantList(value));
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return null;
  const choices = expected.anyOf ?? [expected];
  return choices.map((choice) => meantScalar(choice, value, key)).find((meant) => meant !== null) ?? null;
}

function meantScalar(expected: ExpectedValue, value: string | number | boolean, key: string): MeantValue | null {
  const words = wordsOf(expected);
  if (words.length > 0) return known(meantWord(String(value), words));
  if (expected.type === 'integer' || expected.type === 'number') return guessed(meantNumber(expected, value, key));
  return expected.type === 'string' && typeof value !== 'string' ? guessed(`"${String(value)}"`) : null;
}

function wordsOf(expected: ExpectedValue): readonly string[] {
  if (expected.enum !== undefined) return expected.enum;
  if (expected.const !== undefined) return [String(expected.const)];
  if (expected.type === 'boolean') return ['true', 'false'];
  return expected.type === 'null' ? ['null'] : [];
}

function known(text: string | null): MeantValue | null {
  return text === null ? null : { text, isKnown: true };
}

function guessed(text: string | null): MeantValue | null {
  return text === null ? null : { text, isKnown: false };
}

function meantWord(word: string, words: readonly string[]): string | null {
  const plain = word.trim().toLowerCase();
  return words.find((known) => synonyms[known]?.includes(plain)) ?? nearestWord(plain, words);
}

const multiples = new Map(Object.entries({ '': 1, '%': 0.01, k: 1e3, m: 1e6, mio: 1e6 }));
const seconds = new Map(Object.entries({ '': 1, s: 1, sec: 1, m: 60, min: 60, minutes: 60, h: 3600 }));

function meantNumber(expected: ExpectedValue, value: string | number | boolean, key: string): string | null {
  const isShare = expected.maximum === 1;
  if (typeof value === 'number') return isShare && value > 1 && value <= 100 ? fitting(expected, value / 100) : null;
  if (typeof value !== 'string') return null;
  const bare = value.trim().replace(/^(?:\$|€|usd\s)\s*|\s*(?:\$|€|usd|dollars?)$/gi, '');
  const [, digits = '', unit = ''] = /^([\d_.,]+)\s*(%|[a-z]*)$/i.exec(bare) ?? [];
  const plain = /^\d{1,3}(?:[,_]\d{3})+$/.test(digits) ? digits.replace(/[,_]/g, '') : digits.replace(',', '.');
  const units = key.endsWith('Seconds') ? seconds : multiples;
  const factor = units.get(unit.toLowerCase());
  if (digits === '' || factor === undefined || !/^\d+(?:\.\d+)?$/.test(plain)) return null;
  return fitting(expected, Number(plain) * factor);
}

/** A number as text, if it is one that may stand there. */
function fitting({ type, minimum, maximum, exclusiveMinimum }: ExpectedValue, number: number): string | null {
  const value = Number(number.toPrecision(12));
  const isFitting =
    (type !== 'integer' || Number.isSafeInteger(value)) &&
    value >= (minimum ?? -Infinity) &&
    value > (exclusiveMinimum ?? -Infinity) &&
    value <= (maximum ?? Infinity);
  return isFitting ? String(value) : null;
}

function meantList(value: unknown): string | null {
  if (typeof value === 'string' && value.trim() !== '') {
    const entries = value.split(',').map((entry) => JSON.stringify(entry.trim()));
    return `[${entries.join(', ')}]`;
  }
  return typeof value === 'number' || typeof value === 'boolean' ? `["${String(value)}"]` : null;
}
