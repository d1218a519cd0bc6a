import { Secret, WireError } from '@drydock/core';
import type { z } from 'zod';
import type { ControlToken } from '../control/control-tokens.ts';

/** The tokens of the tests, by who has them. */
export const tokens = { ada: 'admin-token-canary-ada', vera: 'viewer-token-canary-vera' };

/** What a server is started with so that it takes them. */
export const someControlTokens: readonly ControlToken[] = [
  { name: 'vera', role: 'viewer', token: new Secret(tokens.vera) },
  { name: 'ada', role: 'admin', token: new Secret(tokens.ada) },
];

/** An answer of the control API. */
export interface ControlAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

/** Speaks to the control API as one of the holders of a token. */
export class ControlClient {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string = tokens.ada) {
    this.#url = url;
    this.#token = token;
  }

  as(name: keyof typeof tokens): ControlClient {
    return new ControlClient(this.#url, tokens[name]);
  }

  async send(method: string, path: string, body?: unknown): Promise<ControlAnswer> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: text === '' ? null : JSON.parse(text) };
  }

  /** An answer that must be 200, by its schema. */
  async ask<Schema extends z.ZodType>(
    schema: Schema,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<z.output<Schema>> {
    const { status, json } = await this.send(method, path, body);
    if (status !== 200) throw new Error(`${method} ${path}: ${String(status)} ${JSON.stringify(json)}`);
    return schema.parse(json);
  }

  /** A refusal, by its status and what it says. */
  async refusal(method: string, path: string, body?: unknown): Promise<readonly [number, string, string]> {
    const { status, json } = await this.send(method, path, body);
    const { error } = WireError.parse(json);
    return [status, error.code, error.message];
  }
}
