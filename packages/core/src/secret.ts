import { inspect } from 'node:util';
import { z } from 'zod';

const redacted = '[redacted]';

/** A value that never prints: logs, JSON, templates and errors show `[redacted]`. Only `reveal()` gives it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it only where it goes on the wire. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}

/** A setting that holds a secret: any non-empty string. */
export const SecretText = z
  .string()
  .min(1)
  .transform((value) => new Secret(value));

/** A comma-separated list of secrets, such as webhook secrets during a rotation; at least one. */
export const SecretList = z
  .string()
  .transform((value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  )
  .pipe(z.array(z.string()).min(1))
  .transform((values) => values.map((value) => new Secret(value)));
