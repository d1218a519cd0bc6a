/**
 * Git's smart HTTP for one run: what is offered and listed is written here, so git itself is asked for packs only.
 * Protocol 2 alone, because older ones advertise every ref before anything can be checked.
 * @see https://git-scm.com/docs/protocol-v2, https://git-scm.com/docs/http-protocol
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { DrydockError, type DiffRefs } from '@drydock/core';
import { startGit } from '@drydock/git';
import { checkWants, type Grounds } from './check-wants.ts';
import { flushPacket, packetOf } from './pkt-line.ts';
import { writeFetchRequest, type FetchRequest, type ObjectFormat } from './upload-request.ts';

/** The names under which an agent finds its three commits. */
const refNames = {
  baseSha: 'refs/drydock/base',
  headSha: 'refs/drydock/head',
  startSha: 'refs/drydock/start',
} as const satisfies Record<keyof DiffRefs, string>;

/** The body of `info/refs`: what a client may ask for. */
export function describeService(format: ObjectFormat): string {
  const capabilities = [
    'version 2',
    'agent=drydock',
    'ls-refs',
    'fetch=shallow wait-for-done filter',
    `object-format=${format}`,
  ];
  return capabilities.map(packetOf).join('') + flushPacket;
}

/** The answer to `ls-refs`: the three refs, or those of them that begin with a prefix. */
export function listRefs(refs: DiffRefs, prefixes: readonly string[]): string {
  const lines = (Object.keys(refNames) as (keyof DiffRefs)[])
    .filter((key) => prefixes.length === 0 || prefixes.some((prefix) => refNames[key].startsWith(prefix)))
    .map((key) => packetOf(`${refs[key]} ${refNames[key]}`));
  return lines.join('') + flushPacket;
}

/** A refusal as git clients show it: `remote error: …`. */
export function refusalPacket(message: string): string {
  return packetOf(`ERR ${message}`);
}

const servingSettings = [
  ['uploadpack.allowFilter', 'true'],
  ['uploadpack.allowAnySHA1InWant', 'true'], // they are checked before
  ['uploadpack.keepAlive', '5'],
] as const;

/** The content type of answers. */
export const uploadPackResult = 'application/x-git-upload-pack-result';

/**
 * Checks what is wanted and streams the pack. Throws a `DrydockError` while nothing is sent; a pack that breaks off
 * breaks the connection.
 */
export async function serveFetch(
  grounds: Grounds,
  request: FetchRequest,
  response: ServerResponse,
  options: { readonly format: ObjectFormat; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const { signal, format, timeoutMs } = options;
  await checkWants(grounds, request.wants, signal);
  await using git = startGit({
    repo: grounds.repo,
    args: ['upload-pack', '--stateless-rpc', '--strict', grounds.repo.gitDir],
    settings: servingSettings,
    protocol: 'version=2',
    signal,
    timeoutMs,
  });
  git.stdin.end(writeFetchRequest(request, format));
  try {
    const chunks: AsyncIterable<Buffer> = git.stdout;
    for await (const chunk of chunks) {
      if (!response.headersSent)
        response.writeHead(200, { 'content-type': uploadPackResult, 'cache-control': 'no-store' });
      if (!response.write(chunk)) await once(response, 'drain', { signal });
    }
    await git.ended;
    response.end();
  } catch (error) {
    if (!response.headersSent && error instanceof DrydockError) throw error;
    response.destroy();
    if (!(error instanceof DrydockError) && !signal.aborted) throw error;
  }
}
