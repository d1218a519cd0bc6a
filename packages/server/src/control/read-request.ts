import type { IncomingMessage } from 'node:http';
import { TaskId, TerminalError } from '@drydock/core';
import type { Request } from 'express';
import { isNestedDeeperThan } from '../json-depth.ts';
import { withBody, type ByteBudget } from '../read-body.ts';
import { Nothing, type Operation } from './operations.ts';
import { parseBody, parseQuery } from './parse-query.ts';

const maxBodyBytes = 16 * 1024;
const maxDepth = 16;

/** A request taken apart by its operation's schemas. */
export interface ParsedRequest {
  readonly taskId: TaskId;
  readonly query: unknown;
  readonly body: unknown;
}

/**
 * Reads a request by the schemas of its operation. Throws `TerminalError`: `request.malformed`, `request.too_large`, and
 * `request.not_found` for what is no name of a task.
 */
export async function readRequest(operation: Operation, request: Request, budget: ByteBudget): Promise<ParsedRequest> {
  const taskId = operation.path.includes(':taskId') ? taskIdOf(request) : '';
  const query: unknown = parseQuery(operation.query, request.originalUrl);
  if (operation.body === Nothing) return { taskId, query, body: {} };
  return { taskId, query, body: parseBody(operation.body, await readJson(request, budget)) };
}

function taskIdOf({ params }: Request): TaskId {
  const { taskId } = params;
  const parsed = TaskId.max(120).safeParse(taskId);
  if (parsed.success) return parsed.data;
  throw new TerminalError('request.not_found', 'a task is named like review:gitlab:42:7');
}

async function readJson(request: IncomingMessage, budget: ByteBudget): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json[ \t]*(?:;|$)/i.test(type)) throw malformed('the content type must be application/json');
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity')
    throw malformed('packed bodies are not taken');
  const text = await withBody(request, { maxBytes: maxBodyBytes, budget }, (body) => {
    switch (body.kind) {
      case 'read':
        return body.bytes.toString('utf8');
      case 'too-large':
        throw new TerminalError('request.too_large', `the body is larger than ${String(maxBodyBytes)} bytes`);
      case 'overloaded':
      case 'broken':
        throw malformed('the body broke off, or there are too many at once');
    }
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('the body is no JSON'); // the cause would repeat what was sent
  }
  if (isNestedDeeperThan(value, maxDepth)) throw malformed('the body nests too deep');
  return value;
}

function malformed(message: string): TerminalError {
  return new TerminalError('request.malformed', message);
}
