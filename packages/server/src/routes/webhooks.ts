/**
 * `POST /webhooks/:forge`. The order matters: type, size and what the headers prove, then the raw bytes, then the whole
 * proof of origin, and only then is anything parsed. A 2xx means durably queued or knowingly ignored; the header `x-drydock-outcome` tells
 * people which, in the forge's own list of recent deliveries.
 *
 *   200  accepted, duplicate, ignored, or of a project that is not on the list (a refusal would disable the hook)
 *   400  no JSON, or nested too deeply      401  not signed, or wrongly     404  no such forge
 *   413  too large                          415  not JSON, or encoded       503  cannot store now: send it again
 */
import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  DrydockError,
  TransientError,
  unreachable,
  type Clock,
  type ForgeId,
  type Log,
  type ReachPoint,
  type TaskRequest,
} from '@drydock/core';
import { parseGitLabEvent, refuseByProof, verifyDelivery, type DeliverySecrets } from '@drydock/forge';
import type { TaskQueue } from '@drydock/queue';
import { cutOff } from '../cut-off.ts';
import { isNestedDeeperThan } from '../json-depth.ts';
import type { ServerMetrics } from '../metrics.ts';
import { ByteBudget, withBody } from '../read-body.ts';
import { Seldom } from '../seldom.ts';
import { triage } from '../trigger-policy.ts';

/** How webhooks are taken in. */
export interface WebhookSettings {
  readonly hooks: ReadonlyMap<ForgeId, DeliverySecrets>;
  readonly isAllowed: (projectId: string, path: string) => boolean;
  readonly debounceMs: number;
  readonly maxDebounceMs: number;
  readonly maxBodyBytes: number;
  /** Bodies held in memory at once, all together; more is answered 503. */
  readonly maxBytesInFlight: number;
}

interface WebhookPorts {
  readonly queue: TaskQueue;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ServerMetrics;
  readonly reach?: ReachPoint | undefined;
}

interface Answer {
  readonly status: number;
  readonly outcome: string;
}

/** What is kept of a body: its answer, or what must be stored before there is one. */
type Reading =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'wanted'; readonly request: TaskRequest; readonly deliveryKeys: readonly string[] };

const maxDepth = 64;
const retryAfterSeconds = '10';
const tellEveryMs = 10_000;

/** The handler for a forge's deliveries; it answers in every case. */
export function createWebhookHandler(ports: WebhookPorts, settings: WebhookSettings) {
  const { clock, log, metrics } = ports;
  const budget = new ByteBudget(settings.maxBytesInFlight);
  const refusals = new Seldom(clock, tellEveryMs);

  async function receive(request: IncomingMessage, forge: ForgeId, secrets: DeliverySecrets): Promise<Answer> {
    const refusal = refuseByHeaders(request, settings.maxBodyBytes);
    if (refusal !== null) return refusal;
    const headers = deliveryHeaders(request);
    const unproven = refuseByProof(secrets, headers);
    if (unproven !== null) return refuse(forge, unproven.why);
    const reading = await withBody(request, { maxBytes: settings.maxBodyBytes, budget }, (body) => {
      switch (body.kind) {
        case 'read':
          return read(forge, secrets, headers, body.bytes);
        case 'too-large':
          return answered(413, 'too-large');
        case 'broken':
          return answered(400, 'broken-body');
        case 'overloaded':
          return answered(503, 'overloaded');
        default:
          return unreachable(body);
      }
    });
    return reading.kind === 'answered' ? reading.answer : store(forge, reading);
  }

  function refuse(forge: ForgeId, why: string): Answer {
    const count = refusals.count(`${forge} ${why}`);
    if (count !== null) log.warn({ forge, reason: why, count }, 'delivery refused');
    return { status: 401, outcome: why };
  }

  function read(
    forge: ForgeId,
    secrets: DeliverySecrets,
    headers: ReturnType<typeof deliveryHeaders>,
    bytes: Buffer,
  ): Reading {
    const verified = verifyDelivery(secrets, headers, bytes, clock.nowMs());
    if (verified.kind === 'refused') return { kind: 'answered', answer: refuse(forge, verified.why) };
    const body = parseJson(bytes);
    if (body === undefined) return answered(400, 'bad-json');
    if (isNestedDeeperThan(body, maxDepth)) return answered(400, 'too-deep');
    const found = triage(forge, parseGitLabEvent(body), settings.isAllowed);
    if (found.kind === 'drop') {
      if (found.problems !== undefined) log.warn({ forge, place: found.problems }, 'delivery of another shape ignored');
      return answered(200, found.outcome);
    }
    const deliveryKeys = [hash('sha256', bytes, 'base64url')];
    if (headers.deliveryId !== undefined) deliveryKeys.push(headers.deliveryId.slice(0, 200));
    return { kind: 'wanted', request: found.request, deliveryKeys: deliveryKeys.map((key) => `${forge}:${key}`) };
  }

  async function store(
    forge: ForgeId,
    { request, deliveryKeys }: Extract<Reading, { kind: 'wanted' }>,
  ): Promise<Answer> {
    const { debounceMs, maxDebounceMs } = settings;
    ports.reach?.('ingest.verified');
    const { kind, taskId } = await ports.queue.enqueue(request, { deliveryKeys, debounceMs, maxDebounceMs });
    ports.reach?.('ingest.enqueued');
    log.info({ forge, taskId, trigger: request.trigger, outcome: kind }, 'delivery taken');
    return { status: 200, outcome: kind };
  }

  return async (request: IncomingMessage, response: ServerResponse, forge: string): Promise<void> => {
    const startedAtMs = clock.monotonicMs();
    const secrets = settings.hooks.get(forge);
    const answer =
      secrets === undefined
        ? { status: 404, outcome: 'unknown-forge' }
        : await answerOf(receive(request, forge, secrets), log);
    metrics.answered(
      secrets === undefined ? 'unknown' : forge,
      answer.status,
      (clock.monotonicMs() - startedAtMs) / 1000,
    );
    metrics.outcome(answer.outcome);
    send(request, response, answer);
  };
}

/** A store that does not take it is 503, and so is a bug: the sender may try again, and nothing is lost silently. */
async function answerOf(work: Promise<Answer>, log: Log): Promise<Answer> {
  try {
    return await work;
  } catch (err) {
    if (err instanceof TransientError) log.warn({ code: err.code, err }, 'delivery not stored');
    else if (err instanceof DrydockError) log.error({ code: err.code, err }, 'delivery not stored');
    else log.error({ err }, 'delivery not stored: a bug');
    return { status: 503, outcome: 'not-stored' };
  }
}

function answered(status: number, outcome: string): Reading {
  return { kind: 'answered', answer: { status, outcome } };
}

function refuseByHeaders(request: IncomingMessage, maxBodyBytes: number): Answer | null {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json[ \t]*(?:;|$)/i.test(type)) return { status: 415, outcome: 'wrong-type' };
  if (isEncoded(request)) return { status: 415, outcome: 'encoded' };
  return Number(request.headers['content-length'] ?? 0) > maxBodyBytes ? { status: 413, outcome: 'too-large' } : null;
}

function isEncoded({ headers }: IncomingMessage): boolean {
  const content = headers['content-encoding']?.toLowerCase() ?? 'identity';
  const transfer = headers['transfer-encoding']?.toLowerCase() ?? 'chunked'; // node also takes `gzip, chunked`
  return content !== 'identity' || transfer !== 'chunked';
}

function deliveryHeaders({ headers }: IncomingMessage) {
  const one = (name: string) => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const id = one('webhook-id');
  return {
    signature: one('webhook-signature'),
    id,
    timestamp: one('webhook-timestamp'),
    token: one('x-gitlab-token'),
    deliveryId: one('idempotency-key') ?? id,
  };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function send(request: IncomingMessage, response: ServerResponse, { status, outcome }: Answer): void {
  if (response.destroyed) return;
  const headers: Record<string, string> = { 'content-length': '0', 'x-drydock-outcome': outcome };
  if (status === 503) headers['retry-after'] = retryAfterSeconds;
  if (!request.complete) headers['connection'] = 'close';
  response.writeHead(status, headers);
  if (request.complete) response.end();
  else cutOff(request, response);
}
