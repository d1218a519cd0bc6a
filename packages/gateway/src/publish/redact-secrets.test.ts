import { describe, expect, it } from '@jest/globals';
import { findSecrets, redactSecrets } from './redact-secrets.ts';

// Put together here, so that no scanner takes this file for a leak.
const join = (...parts: string[]) => parts.join('');
const secrets: readonly (readonly [name: string, secret: string])[] = [
  ['AWS access key', join('AKIA', 'IOSFODNN7EXAMPLE')],
  ['GitHub token', join('ghp_', 'abcdefghijklmnopqrstuvwxyz0123456789')],
  ['GitHub token', join('github_pat_', 'A1'.repeat(30))],
  ['GitLab token', join('glpat-', 'xY3_zQ8-1aB2cD3eF4gH')],
  ['Anthropic key', join('sk-ant-', 'api03-AbCdEfGhIjKlMnOpQrSt')],
  ['OpenAI key', join('sk-proj-', 'Ab1'.repeat(14))],
  ['Slack token', join('xoxb-', '123456789012-abcdefABCDEF')],
  ['Google key', join('AIza', 'SyA1234567890abcdefghijklmnopqrstuv')],
  ['Stripe key', join('sk_live_', '4eC39HqLyjWDarjtT1zdp7dc')],
  ['npm token', join('npm_', 'abcdefghijklmnopqrstuvwxyz0123456789')],
  [
    'JSON web token',
    join('eyJhbGciOiJIUzI1NiJ9', '.', 'eyJzdWIiOiIxMjM0NTY3ODkwIn0', '.', 'dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P'),
  ],
  ['private key', join('-----BEGIN RSA PRIVATE', ' KEY-----\nMIIE\nabc\n-----END RSA PRIVATE', ' KEY-----')],
];

describe('redactSecrets', () => {
  it.each(secrets)('replaces a %s by its type', (name, secret) => {
    const redacted = redactSecrets(`It is ${secret} here.`);

    expect(redacted).toBe(`It is (${name} redacted) here.`);
  });

  it('replaces the value of an assignment that looks generated', () => {
    expect(redactSecrets('password = "xK9#mQ2vL8pR4tZ"')).toBe('password = "(secret redacted)"');
    expect(redactSecrets('API_KEY: aB3dE5fG7hJ9kL1m')).toBe('API_KEY: (secret redacted)');
    expect(redactSecrets('postgres://app:hunter2@db/x')).toBe('postgres://app:(password in an address redacted)@db/x');
  });

  it.each([
    [`const password = 'correcthorsebattery';`, `const password = '(secret redacted)';`],
    [`"db_password": "opensesame"`, `"db_password": "(secret redacted)"`],
    ['client_secret = `the-quiet-fox-jumps`', 'client_secret = `(secret redacted)`'],
    [`settings['api_key'] = "letmeinletmein"`, `settings['api_key'] = "(secret redacted)"`],
  ])('replaces a literal whatever it looks like: %s', (text, redacted) => {
    expect(redactSecrets(text)).toBe(redacted);
    expect(redactSecrets(redacted)).toBe(redacted);
  });

  it.each([
    `const secretName = 'webhook-credentials';`,
    `tokenUrl: "https://auth.example.com/token"`,
    `tokenEnv = 'DRYDOCK_GITLAB_TOKEN'`,
    `credentials = "./config/credentials.json"`,
    `const password = \`\${prefix}-password\`;`,
    `passwordLabel: "Your-password-here"`,
    `token: 'identifier'`,
    'password = getPassword()',
    'token: process.env.TOKEN',
    'the secret is compared with ==, so timing tells it',
    'const apiKey = config.apiKey;',
    'auth: $AUTH_TOKEN_2024',
    'author: somebody@example.com',
  ])('leaves %j alone', (text) => {
    expect(redactSecrets(text)).toBe(text);
  });

  it('takes out values known from elsewhere, and secrets split by invisible characters', () => {
    const [value] = findSecrets('password = "xK9#mQ2vL8pR4tZ"');
    const token = secrets[3]?.[1] ?? '';
    const split = token.replace(/./g, '$&\u200b');

    expect(redactSecrets('It reads xK9#mQ2vL8pR4tZ, plainly.', [value ?? ''])).toBe(
      'It reads (secret redacted), plainly.',
    );
    expect(redactSecrets(`It is ${split}!`)).toBe('It is (GitLab token redacted)!');
  });

  it('is fast on long hostile text', () => {
    const text = `${'secret'.repeat(20_000)} ${'eyJ'.repeat(20_000)} ${'-----BEGIN PRIVATE KEY-----'.repeat(2000)} ${'a://b:'.repeat(20_000)}`;
    const before = process.cpuUsage();

    redactSecrets(text);

    // Of the processor, which a busy machine does not lengthen: 20 ms, and minutes if it were quadratic.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(5000);
  });
});
