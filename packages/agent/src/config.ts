import { isAbsolute } from 'node:path';
import { z } from 'zod';

/** The agent's settings: all that it is given. */
export const AgentConfig = z.object({
  gatewayUrl: z
    .url({ protocol: /^https?$/, error: 'an http or https URL' })
    .transform((url) => url.replace(/\/+$/, ''))
    .describe("Where the gateway is: the agent's only way out"),
  runTokenFile: z.string().min(1).describe('File of mode 0400 that holds the run token'),
  workDir: z
    .string()
    .refine((path) => isAbsolute(path), 'an absolute path')
    .describe("The agent's own folder; what it writes is in here"),
  endWithStdin: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .describe(
      'Whether the agent ends when its standard input closes: for who starts it as a child process and holds the other end',
    ),
  path: z.string().default('/usr/local/bin:/usr/bin:/bin').meta({ env: 'PATH' }).describe('Where git is found'),
});
export type AgentConfig = z.infer<typeof AgentConfig>;
