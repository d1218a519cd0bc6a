/** Amounts as Kubernetes writes them, as far as a pod's resources need them. */
import { z } from 'zod';
import { withRules } from './api-rule.ts';

const factors: ReadonlyMap<string, number> = new Map(
  Object.entries({
    m: 1e-3,
    '': 1,
    k: 1e3,
    M: 1e6,
    G: 1e9,
    T: 1e12,
    Ki: 2 ** 10,
    Mi: 2 ** 20,
    Gi: 2 ** 30,
    Ti: 2 ** 40,
  }),
);

/** `500m` is 0.5, `2Gi` is 2147483648; not a number for what is no quantity of ours. */
export function quantityOf(text: string | number): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(\D*)$/.exec(String(text)) ?? [];
  return digits === '' ? NaN : Number(digits) * (factors.get(unit) ?? NaN);
}

/** An amount between two others, written as a whole number or as a text. */
export function quantityBetween(least: string, most: string, pattern: RegExp) {
  const self = 'quantity(string(self))';
  return withRules(z.union([z.int().min(0), z.string().regex(pattern)]), [
    {
      rule: `${self}.compareTo(quantity('${least}')) >= 0 && ${self}.compareTo(quantity('${most}')) <= 0`,
      message: `must be between ${least} and ${most}`,
      holds: (amount) => quantityOf(amount) >= quantityOf(least) && quantityOf(amount) <= quantityOf(most),
    },
  ]).meta({ 'x-kubernetes-int-or-string': true });
}
