import { createHmac } from 'node:crypto';
import type { Clock } from '@drydock/core';
import type { GitLabWebhook } from './gitlab-state.ts';
import type { HookBody } from './webhook-payloads.ts';

/** One call of a webhook, as GitLab's log shows it. */
export interface WebhookDelivery {
  readonly id: number;
  readonly webhookId: number;
  readonly event: string;
  /** Where it was sent. */
  readonly url: string;
  readonly body: HookBody;
  readonly headers: Readonly<Record<string, string>>;
  /** Null while it is under way, and when no answer came. */
  status: number | null;
  responseBody: string;
  /** Why no answer came. */
  error: string | null;
}

interface SenderSettings {
  readonly version: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly nextUuid: () => string;
}

/** Headers of a delivery: who sends, which event, and the proofs that the webhook is configured with. */
function webhookHeaders(facts: {
  readonly webhook: GitLabWebhook;
  readonly event: string;
  readonly rawBody: string;
  readonly deliveryId: string;
  readonly timestampSeconds: number;
  readonly instanceUrl: string;
  readonly version: string;
  readonly eventUuid: string;
}): Record<string, string> {
  const { webhook, deliveryId, timestampSeconds } = facts;
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    'User-Agent': `GitLab/${facts.version}`,
    'Idempotency-Key': deliveryId,
    'X-Gitlab-Event': facts.event,
    'X-Gitlab-Webhook-UUID': webhook.uuid,
    'X-Gitlab-Instance': facts.instanceUrl,
    'X-Gitlab-Event-UUID': facts.eventUuid,
    'webhook-id': deliveryId,
    'webhook-timestamp': String(timestampSeconds),
  };
  if (webhook.secretToken !== null) headers['X-Gitlab-Token'] = webhook.secretToken;
  if (webhook.signingToken !== null) {
    headers['webhook-signature'] = signWebhook(
      webhook.signingToken,
      `${deliveryId}.${timestampSeconds}.${facts.rawBody}`,
    );
  }
  return headers;
}

/**
 * Standard Webhooks: HMAC-SHA256 with the bytes that follow `whsec_` in base64.
 * @see https://github.com/standard-webhooks/standard-webhooks
 */
function signWebhook(signingToken: string, content: string): string {
  const key = Buffer.from(signingToken.replace(/^whsec_/, ''), 'base64');
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
}

/** Calls webhooks: each once, in order for each webhook, never again by itself. */
export class WebhookSender {
  readonly deliveries: WebhookDelivery[] = [];
  readonly #settings: SenderSettings;
  readonly #queues = new Map<number, Promise<void>>();
  readonly #webhooks = new Map<number, GitLabWebhook>();
  readonly #closing = new AbortController();
  #lastId = 0;

  constructor(settings: SenderSettings) {
    this.#settings = settings;
  }

  /** Begins a delivery; its outcome is written into the log. */
  send(webhook: GitLabWebhook, event: string, body: HookBody, instanceUrl: string): WebhookDelivery {
    return this.#enqueue(webhook, event, body, instanceUrl, this.#settings.nextUuid());
  }

  /** Sends a logged delivery again, under the same idempotency key, as a person does with the button. */
  resend(deliveryId: number): WebhookDelivery {
    const delivery = this.deliveries.find((candidate) => candidate.id === deliveryId);
    const webhook = delivery === undefined ? undefined : this.#webhooks.get(delivery.webhookId);
    if (delivery === undefined || webhook === undefined) throw new Error(`no delivery ${deliveryId}`);
    const instanceUrl = delivery.headers['X-Gitlab-Instance'] ?? '';
    return this.#enqueue(webhook, delivery.event, delivery.body, instanceUrl, delivery.headers['webhook-id'] ?? '');
  }

  /** Waits until nothing of one webhook is under way. */
  async settledOf(webhookId: number): Promise<void> {
    await this.#queues.get(webhookId);
  }

  /** Waits until nothing is under way. */
  async settled(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all(this.#queues.values());
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.settled();
  }

  #enqueue(
    webhook: GitLabWebhook,
    event: string,
    body: HookBody,
    instanceUrl: string,
    deliveryId: string,
  ): WebhookDelivery {
    this.#webhooks.set(webhook.id, webhook);
    const { clock, version, nextUuid } = this.#settings;
    const rawBody = JSON.stringify(body);
    const timestampSeconds = Math.floor(clock.nowMs() / 1000);
    const facts = {
      webhook,
      event,
      rawBody,
      deliveryId,
      timestampSeconds,
      instanceUrl,
      version,
      eventUuid: nextUuid(),
    };
    const headers = webhookHeaders(facts);
    const outcome = { status: null, responseBody: '', error: null };
    const { id: webhookId, url } = webhook;
    const delivery: WebhookDelivery = { id: ++this.#lastId, webhookId, event, url, body, headers, ...outcome };
    this.deliveries.push(delivery);
    const before = this.#queues.get(webhook.id) ?? Promise.resolve();
    const run = before.then(() => this.#deliver(webhook.url, rawBody, delivery));
    this.#queues.set(webhook.id, run);
    void run.then(() => {
      if (this.#queues.get(webhook.id) === run) this.#queues.delete(webhook.id);
    });
    return delivery;
  }

  async #deliver(url: string, rawBody: string, delivery: WebhookDelivery): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout(this.#settings.timeoutMs), this.#closing.signal]);
    const request = { method: 'POST', body: rawBody, headers: delivery.headers, redirect: 'manual', signal } as const;
    try {
      const response = await fetch(url, request);
      delivery.responseBody = (await response.text()).slice(0, 8192);
      delivery.status = response.status;
    } catch (error) {
      delivery.error = error instanceof Error ? error.message : String(error);
    }
  }
}
