import { randomBytes } from 'node:crypto';
import { Secret } from '@drydock/core';
import { reply, startFakeClaude, type ClaudeScript } from '@drydock/testkit';
import { notesBy } from './live-review.ts';
import { offByOne } from './live-planted-change.ts';
import type { LiveChange } from './open-live-change.ts';
import type { Live } from './open-live.ts';
import { startLiveDrydock } from './start-live-drydock.ts';

/** Quick actions that would show and do no harm in a scratch project. */
const commands = [
  '/title Taken over',
  '/close',
  '/draft',
  '/lock',
  '/label ~drydock-live',
  '/spend 1h',
  '/assign me',
  '/approve',
];
const hostileText = ['Fine.', ...commands, '', '```', '/close', '', ...commands.map((command) => `\r${command}`)].join(
  '\n',
);

const hostileModel: ClaudeScript = (_request, { turn }) =>
  turn === 1
    ? reply.toolUse('report_finding', {
        path: offByOne.path,
        side: 'new',
        startLine: offByOne.startLine,
        endLine: offByOne.startLine,
        severity: 'critical',
        category: 'security',
        confidence: 1,
        title: commands.join('\n').slice(0, 120),
        quotedCode: offByOne.code,
        reason: hostileText,
        suggestion: '/close',
      })
    : reply.toolUse('finish_review', { summary: hostileText });

/**
 * Lets a model on this machine say what must never have an effect, and publishes it to the real GitLab. Gives what is
 * wrong, in words; nothing: all is well.
 */
export async function findHostileEffects(live: Live, change: LiveChange): Promise<readonly string[]> {
  const apiKey = randomBytes(16).toString('hex');
  await using claude = await startFakeClaude({ apiKey, script: hostileModel });
  const before = await live.bot.gitlab.standing(change.liveRef);
  const model = { baseUrl: claude.url, apiKey: new Secret(apiKey) };
  await using drydock = await startLiveDrydock(live, model);
  await drydock.deliver(await change.mergeRequestBody({ action: 'open' }));
  drydock.publicationOf(await drydock.ended(change.ref));

  const problems = await findChanges(live, change, before);
  const said = notesBy(live, await live.bot.gitlab.discussions(change.liveRef)).map((note) => note.body);
  return said.some((body) => body.includes('Taken over')) ? problems : [...problems, 'the hostile text was not posted'];
}

type Standing = Awaited<ReturnType<Live['bot']['gitlab']['standing']>>;

/** What has changed on a merge request that no comment may change. */
export async function findChanges(live: Live, change: LiveChange, before: Standing): Promise<string[]> {
  const after = await live.bot.gitlab.standing(change.liveRef);
  return (Object.keys(before) as (keyof Standing)[])
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map((key) => `${key} was ${JSON.stringify(before[key])} and is ${JSON.stringify(after[key])}`);
}
