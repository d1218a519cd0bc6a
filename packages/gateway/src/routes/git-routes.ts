import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Request } from 'express';
import { TerminalError, type Log } from '@drydock/core';
import { ensureRunMirror, type RunMirrorPorts } from '../git/ensure-run-mirror.ts';
import { objectFormatOf } from '../git/mirrors.ts';
import { describeService, listRefs, refusalPacket, serveFetch, uploadPackResult } from '../git/serve-upload-pack.ts';
import { readUploadRequest } from '../git/upload-request.ts';
import { plainTarget } from '../http/plain-path.ts';
import { readBody, requireContent } from '../http/read-json.ts';
import type { RunHandler } from './for-run.ts';

/** What git is served from. */
export interface GitPorts extends RunMirrorPorts {
  readonly log: Log;
}

const maxGitBodyBytes = 16 * 1024 * 1024;

/** `info/refs`: what is served, and nothing of what is there. */
export const describeGit: RunHandler = async (run, request, response) => {
  requireUploadPack(request);
  const body = describeService(objectFormatOf(run.record.context.diffRefs));
  sendGit(response, 'application/x-git-upload-pack-advertisement', body);
};

/** `git-upload-pack`: the run's three refs, or a pack. */
export function serveGit(ports: GitPorts, timeoutMs: number): RunHandler {
  return async (run, request, response, signal) => {
    requireProtocol2(request);
    requireContent(request, 'application/x-git-upload-pack-request');
    const { diffRefs } = run.record.context;
    const format = objectFormatOf(diffRefs);
    const wanted = readUploadRequest(await readGitBody(request), format);
    switch (wanted.kind) {
      case 'empty':
        sendGit(response, uploadPackResult, '');
        return;
      case 'ls-refs':
        sendGit(response, uploadPackResult, listRefs(diffRefs, wanted.prefixes));
        return;
      case 'fetch':
        break;
    }
    const repo = await ensureRunMirror(ports, run, signal);
    try {
      await serveFetch({ repo, refs: diffRefs }, wanted, response, { format, timeoutMs, signal });
    } catch (error) {
      const isRefusal = error instanceof TerminalError && error.code === 'git.want_refused';
      if (!isRefusal) throw error;
      ports.log.warn({ runId: run.record.runId, code: error.code }, 'agent wanted objects that are not its own');
      sendGit(response, uploadPackResult, refusalPacket(error.message));
    }
  };
}

/** Reading only, and protocol 2 only. */
function requireUploadPack(request: Request): void {
  const query = plainTarget(request.originalUrl)?.query;
  const isOnlyService = query !== undefined && [...query.keys()].join() === 'service';
  if (!isOnlyService || query.get('service') !== 'git-upload-pack') {
    throw new TerminalError('request.not_found', 'only git-upload-pack is served');
  }
  requireProtocol2(request);
}

function requireProtocol2({ headers }: IncomingMessage): void {
  const spoken = String(headers['git-protocol'] ?? '').split(':');
  if (!spoken.includes('version=2')) {
    throw new TerminalError('request.malformed', 'only version 2 of the git protocol is served');
  }
}

const unpack = promisify(gunzip);

/** Git packs longer requests. */
async function readGitBody(request: Request): Promise<Buffer> {
  const body = await readBody(request, maxGitBodyBytes);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return body;
  if (encoding !== 'gzip') throw new TerminalError('request.malformed', 'only gzip is unpacked');
  try {
    return await unpack(body, { maxOutputLength: maxGitBodyBytes });
  } catch (cause) {
    throw new TerminalError('request.malformed', 'the packed body is broken or too large', { cause });
  }
}

function sendGit(response: ServerResponse, contentType: string, body: string): void {
  response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body);
}
