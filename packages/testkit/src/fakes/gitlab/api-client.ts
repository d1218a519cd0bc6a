import type { FakeGitLab } from './fake-gitlab.ts';

/** What came back from a call. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Null for an empty one; text that is no JSON as it is. */
  readonly body: unknown;
}

/** Calls the fake's API like any client would: for the tests of the fake itself. */
export function apiOf(gitlab: FakeGitLab, token: string | null = gitlab.token) {
  return async (method: string, path: string, body?: unknown): Promise<ApiAnswer> => {
    const response = await fetch(`${gitlab.url}/api/v4${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...(token === null ? {} : { 'PRIVATE-TOKEN': token }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parse(text) };
  };
}

function parse(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
