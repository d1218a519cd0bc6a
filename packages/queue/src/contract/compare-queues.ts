import { isDeepStrictEqual } from 'node:util';
import { expect } from '@jest/globals';
import { TaskId } from '@drydock/core';
import { MemoryTaskQueue } from '../memory-task-queue.ts';
import type { RedisConnection } from '../redis-connection.ts';
import { RedisTaskQueue } from '../redis-task-queue.ts';
import type { HeldLease } from '../task-queue.ts';
import { answerOf, answerWord, isLease, modelSettings, observe, observeAll, type ModelStep } from './queue-model.ts';
import { MovableTime, noonEpoch } from './queue-under-test.ts';

/** Lets both queues go the same way, and fails where they part. `onAnswer` hears what each command was answered. */
export async function compareQueues(
  redis: RedisConnection,
  keyPrefix: string,
  sequence: readonly ModelStep[],
  onAnswer: (answer: string) => void = () => undefined,
): Promise<void> {
  const time = new MovableTime();
  const random = () => 0.5;
  const settings = modelSettings;
  let epoch = noonEpoch;
  const memory = new MemoryTaskQueue({ clock: time.clock(), settings, random, epoch: () => epoch });
  const onRedis = new RedisTaskQueue({ redis, keyPrefix, settings, random, testNowMs: time.nowMs });
  const root = `${keyPrefix}{drydock}:`;
  await onRedis.epoch();
  const leases: HeldLease[] = [];
  const story: string[] = [];
  for (const step of sequence) {
    if ('ms' in step) {
      time.advance(step.ms);
      story.push(`advance ${String(step.ms)}`);
    } else if ('newEpoch' in step) {
      await redis.hset(`${root}clock`, 'run', 'another process');
      epoch = Math.max(epoch + 1, Math.floor((time.nowMs() - Date.UTC(2026, 0, 1)) / 1000));
      await onRedis.epoch();
      story.push('new epoch');
    } else {
      story.push(step.label);
      const [expected, actual] = await Promise.all([
        answerOf(step.run(memory, leases)),
        answerOf(step.run(onRedis, leases)),
      ]);
      same(story, actual, expected);
      const word = answerWord(step.command, expected);
      if (word !== null) onAnswer(`${step.command}: ${word}`);
      if (isLease(expected)) leases.push({ taskId: expected.taskId, lease: expected.lease });
    }
    same(story, ...(await Promise.all([observe(onRedis), observe(memory)])));
  }
  const taskIds = await checkPlaces(redis, root, story);
  same(story, ...(await Promise.all([observeAll(onRedis, taskIds), observeAll(memory, taskIds)])));
}

function same(story: readonly string[], actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect({ story, actual }).toEqual({ story, actual: expected });
}

/** Each task stands in one index and in one place at most; what waits is reached through a turn. */
async function checkPlaces(redis: RedisConnection, root: string, story: readonly string[]): Promise<TaskId[]> {
  const keys = (await redis.keys(`${root}*`)).map((key) => key.slice(root.length)).sort();
  const members = async (name: RegExp) =>
    (
      await Promise.all(keys.filter((key) => name.test(key)).map((key) => redis.zrange(`${root}${key}`, '0', '-1')))
    ).flat();
  const [indexed, placed, ready, due] = await Promise.all([
    members(/^state:/),
    members(/^(ready:|due$|leases$)/),
    members(/^ready:/),
    members(/^due$/),
  ]);
  const waiting = await members(/^state:waiting$/);
  const held = await members(/^leases$/);
  const byForge = await members(/^leases:[a-z]+$/);
  const byProject = await members(/^leases:[a-z]+:/);
  const paused = new Set(Object.keys(await redis.hgetall(`${root}pauses`)));
  const stuck: string[] = [];
  for (const key of keys.filter((name) => name.startsWith('ready:'))) {
    const project = key.slice('ready:'.length);
    const turn = await redis.hget(`${root}project:${project}`, 'turn');
    const mayRun = !paused.has(`project:${project}`) && !keys.includes(`leases:${project}`);
    const [forge = ''] = project.split(':');
    if (turn === null && mayRun) stuck.push(project);
    if (turn !== null && (await redis.zscore(`${root}turns:${forge}`, turn)) === null) stuck.push(`${project} lost`);
  }
  for (const key of keys.filter((name) => name.startsWith('turns:'))) {
    for (const turn of await redis.zrange(`${root}${key}`, '0', '-1')) {
      const project = `${key.slice('turns:'.length)}${turn.slice(turn.indexOf(':'))}`;
      if ((await redis.hget(`${root}project:${project}`, 'turn')) !== turn) stuck.push(`${turn} of nobody`);
    }
  }
  const facts = (of: object) => ({ story, ...of });
  expect(
    facts({
      indexedTwice: indexed.length - new Set(indexed).size,
      placedTwice: placed.length - new Set(placed).size,
      waits: [...ready, ...due].sort(),
      held: [held, byForge, byProject].map((ids) => ids.toSorted().join()),
      stuck,
    }),
  ).toEqual(
    facts({
      indexedTwice: 0,
      placedTwice: 0,
      waits: waiting.toSorted(),
      held: Array.from({ length: 3 }, () => held.toSorted().join()),
      stuck: [],
    }),
  );
  return indexed.map((taskId) => TaskId.parse(taskId));
}
