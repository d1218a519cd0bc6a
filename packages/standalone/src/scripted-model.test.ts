import { describe, expect, it } from '@jest/globals';
import { scriptedModelName, startScriptedModel } from './scripted-model.ts';

describe('startScriptedModel', () => {
  it('answers by its name and key alone, and is gone when disposed of', async () => {
    let url = '';
    const ask = (apiKey: string, model = scriptedModelName) =>
      fetch(`${url}/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
        body: JSON.stringify({ model, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] }),
      });
    {
      await using model = await startScriptedModel();
      url = model.url;

      expect(new URL(url).hostname).toBe('127.0.0.1');
      expect((await ask(model.apiKey.reveal())).status).toBe(200);
      expect((await ask('guessed')).status).toBe(401);
      expect((await ask(model.apiKey.reveal(), 'claude-sonnet-5-5')).status).toBe(404);
    }

    await expect(ask('any')).rejects.toThrow('fetch failed');
  });
});
