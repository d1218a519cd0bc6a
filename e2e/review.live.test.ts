import { describe, it } from '@jest/globals';
import { readLiveSettings } from './live-settings.ts';
import { describeLiveSuite } from './live-suite.ts';

const say = (line: string) => {
  process.stdout.write(`live: ${line}\n`);
};

const settings = readLiveSettings(process.env);

describe('a real GitLab', () => {
  const skip = (what: string, names: string) => {
    const text = `${what} skipped: set ${names} in .env (docs/guide/first-review.md)`;
    say(text);
    it.skip(text, () => undefined);
  };
  if (settings.kind === 'missing') {
    skip('everything is', settings.names.join(', '));
    return;
  }
  describeLiveSuite(settings, () => settings.open(say));
  if (!settings.hasModel) skip('reviews are', 'ANTHROPIC_API_KEY or DRYDOCK_MODEL_URL');
  else if (!settings.hasPerson) skip('the comment "/drydock review" is', 'DRYDOCK_LIVE_USER_TOKEN');
});
