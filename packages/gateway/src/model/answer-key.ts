import { createHash } from 'node:crypto';
import type { MergeRequestRef } from '@drydock/core';

/** What makes two calls the same. */
export interface AnswerKeyFacts {
  /** Whose call it is: see `answerScope`. */
  readonly scope: string;
  /** Where the model is served. */
  readonly baseUrl: string;
  /** Betas that are sent, in the order of the header. */
  readonly betas: readonly string[];
  /** The body, byte for byte as it is sent. */
  readonly json: string;
}

/** Changes when what is sent beside these facts does (`anthropic-version`), or what is kept. */
const version = 'drydock-answer-1';

/**
 * Names a call by all that its answer may depend on, and by who may have it:
 * - the version: an answer of another protocol is none;
 * - the scope: an answer holds code of its project, so that nothing crosses projects, not even by a guessed prompt;
 * - the server, with its path: a model of the same name elsewhere is another model;
 * - the betas: they change what comes back for the same body;
 * - the body: model, prompt, tools, caps, and whether it is streamed.
 * Not in it: our key for the server (whose account pays changes no answer, and a rotated key must not cost all answers
 * their use), the run and its launch (an attempt that asks again is what the store is for).
 */
export function answerKey({ scope, baseUrl, betas, json }: AnswerKeyFacts): string {
  const { origin, pathname } = new URL(baseUrl);
  const server = origin + pathname.replace(/\/+$/, '');
  return createHash('sha256')
    .update(JSON.stringify([version, scope, server, betas])) // one line, so that it cannot run into the body
    .update('\n')
    .update(json)
    .digest('hex');
}

/**
 * Who may have an answer: one project. Forge ids and project ids are unique within an installation alone; `installation`
 * tells apart those that share a store, such as the repositories of one machine.
 */
export function answerScope(installation: string, { forge, projectId }: MergeRequestRef): string {
  return JSON.stringify([installation, forge, projectId]);
}
