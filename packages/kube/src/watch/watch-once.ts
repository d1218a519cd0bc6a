import type { Clock } from '@drydock/core';
import { z } from 'zod';
import { CallFailed, type KubeStream } from '../kube-transport.ts';
import { failureOf, parseStatus } from '../kube-error.ts';
import { readLines } from './read-lines.ts';

/**
 * How a watch ended. `closed`: cleanly, as the server does at its timeout; `silent`: nothing came for too long; `broken`:
 * by a reset; `gone`: the version is too old, or history has a gap; `malformed`: a line that is no event; `refused`: by
 * an answer other than 200 or an error in the stream; `unreachable`: no answer; `audit`: by us; `aborted`.
 */
export type WatchEnd =
  'closed' | 'silent' | 'broken' | 'gone' | 'malformed' | 'refused' | 'unreachable' | 'audit' | 'aborted';

/** The end, and what is known of its cause. */
export interface WatchOutcome {
  readonly end: WatchEnd;
  readonly error: unknown;
}

/** An event as it came; `object` is yet to be parsed. */
export type WatchEvent =
  | { readonly kind: 'set' | 'gone'; readonly object: unknown }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string };

/** One watch. */
export interface WatchCall {
  readonly open: (signal: AbortSignal) => Promise<KubeStream>;
  /** Told of each event in its order; false: it makes no sense. */
  readonly onEvent: (event: WatchEvent) => boolean;
  /** Told of every sign of life. */
  readonly onWord: () => void;
  readonly silentMs: number;
  readonly signal: AbortSignal;
  /** Ends it for an audit's sake. */
  readonly renew: AbortSignal;
  readonly clock: Clock;
}

const Bookmark = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
const Line = z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']), object: z.unknown() });
/** An object of Kubernetes has at most 3 MiB. */
const maxLineLength = 8 * 1024 * 1024;
const maxRefusalBytes = 64 * 1024;

/** Follows one watch to its end; never throws. */
export async function watchOnce(call: WatchCall): Promise<WatchOutcome> {
  const stop = AbortSignal.any([call.signal, call.renew]);
  let stream: KubeStream;
  try {
    stream = await call.open(stop);
  } catch (error) {
    if (stop.aborted) return outcome(call.signal.aborted ? 'aborted' : 'audit');
    const failure = error instanceof CallFailed ? error.failure : null;
    return outcome('unreachable', failure?.error ?? error);
  }
  if (stream.status !== 200) return refusal(stream);
  const { body } = stream;
  const silence = watchSilence(call, body);
  const destroy = () => {
    body.destroy();
  };
  stop.addEventListener('abort', destroy, { once: true });
  call.onWord();
  try {
    for await (const line of readLines(body as AsyncIterable<Buffer>, maxLineLength)) {
      silence.heard();
      call.onWord();
      const end = takeLine(line, call.onEvent);
      if (end !== null) return end;
    }
    return outcome(body.complete ? 'closed' : 'broken');
  } catch (error) {
    if (stop.aborted) return outcome(call.signal.aborted ? 'aborted' : 'audit');
    if (silence.isOver()) return outcome('silent');
    return outcome(error instanceof RangeError ? 'malformed' : 'broken', error);
  } finally {
    silence.end();
    stop.removeEventListener('abort', destroy);
    body.destroy();
  }
}

function takeLine(line: string, onEvent: WatchCall['onEvent']): WatchOutcome | null {
  let event: z.infer<typeof Line>;
  let version = '';
  try {
    event = Line.parse(JSON.parse(line));
    if (event.type === 'BOOKMARK') version = Bookmark.parse(event.object).metadata.resourceVersion;
  } catch (error) {
    return outcome('malformed', error);
  }
  if (event.type === 'ERROR') return errorEvent(event.object);
  const isTaken = onEvent(
    event.type === 'BOOKMARK'
      ? { kind: 'bookmark', resourceVersion: version }
      : { kind: event.type === 'DELETED' ? 'gone' : 'set', object: event.object },
  );
  return isTaken ? null : outcome('malformed');
}

function errorEvent(object: unknown): WatchOutcome {
  const body = JSON.stringify({ ...z.looseObject({}).catch({}).parse(object) });
  const { code } = z
    .object({ code: z.int().catch(500) })
    .catch({ code: 500 })
    .parse(object);
  const { reason } = parseStatus(body);
  if (code === 410 || reason === 'Expired' || reason === 'Gone') return outcome('gone');
  const { error } = failureOf('watch', { status: code, retryAfter: null, body });
  return outcome('refused', error);
}

async function refusal({ status, retryAfter, body }: KubeStream): Promise<WatchOutcome> {
  let text = '';
  try {
    for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > maxRefusalBytes) break;
    }
  } catch {
    // The status says enough.
  }
  if (status === 410) return outcome('gone');
  const { error } = failureOf('watch', { status, retryAfter, body: text });
  return outcome('refused', error);
}

function outcome(end: WatchEnd, error: unknown = null): WatchOutcome {
  return { end, error };
}

/** Destroys the body when nothing is heard for too long: a half-open connection never ends by itself. */
function watchSilence({ clock, silentMs }: WatchCall, body: KubeStream['body']) {
  const ended = new AbortController();
  let heardMs = clock.monotonicMs();
  let isOver = false;
  const listen = async () => {
    while (!ended.signal.aborted) {
      const leftMs = heardMs + silentMs - clock.monotonicMs();
      if (leftMs <= 0) {
        isOver = true;
        body.destroy(new Error('silent'));
        return;
      }
      await clock.sleep(leftMs, ended.signal);
    }
  };
  void listen();
  return {
    heard: () => {
      heardMs = clock.monotonicMs();
    },
    isOver: () => isOver,
    end: () => {
      ended.abort();
    },
  };
}
