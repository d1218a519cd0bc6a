import { SecretText } from '@drydock/core';
import { z } from 'zod';

/** Settings of the commands that ask the server. A flag of the same name goes over each. */
export const ClientConfig = z.object({
  serverUrl: z
    .url({ protocol: /^https?$/, error: 'an http or https URL, such as https://drydock.example.com (--server)' })
    .refine(isBare, 'an address without a user name, password, query or fragment (--server)')
    .default('http://127.0.0.1:8080')
    .describe('Where the server is (--server)'),
  token: SecretText.optional().describe(
    'Token for the control API of the server: one of its DRYDOCK_VIEWER_TOKENS to look, of its DRYDOCK_ADMIN_TOKENS to change',
  ),
  tokenFile: z.string().optional().describe('File that holds that token (--token-file); DRYDOCK_TOKEN goes over it'),
  clientTimeoutMs: z.coerce
    .number()
    .int()
    .min(100)
    .max(600_000)
    .default(10_000)
    .describe('How long one answer of the server may take (--timeout, in seconds)'),
  caFile: z.string().optional().describe('PEM file of private certificate authorities, trusted beside the usual ones'),
  httpProxy: z.string().optional().meta({ env: 'HTTP_PROXY' }).describe('Proxy for http addresses, but this machine'),
  httpsProxy: z
    .string()
    .optional()
    .meta({ env: 'HTTPS_PROXY' })
    .describe('Proxy for https addresses, but this machine'),
  noProxy: z.string().optional().meta({ env: 'NO_PROXY' }).describe('Hosts that are reached without a proxy'),
});
export type ClientConfig = z.infer<typeof ClientConfig>;

function isBare(address: string): boolean {
  const url = URL.parse(address);
  return url === null || (url.username === '' && url.password === '' && url.search === '' && url.hash === '');
}
