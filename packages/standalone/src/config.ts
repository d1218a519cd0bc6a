import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedGatewayConfig } from '@drydock/gateway';
import { ShareConfig, SweepConfig } from '@drydock/scheduler';
import { ServerConfig } from '@drydock/server';
import { z } from 'zod';

const {
  controlToken: _made,
  viewTokens: _madeToo,
  gatewayHost: _host,
  gatewayPort: _port,
  gatewayDataDir: _folder,
  ...gateway
} = EmbeddedGatewayConfig.shape;

const { gatewayUrl: _own, gatewayViewToken: _ownToo, ...server } = ServerConfig.shape;

/** Settings of `drydock dev`: those of server and gateway, but for what one process needs no setting for. */
export const StandaloneConfig = z.object({
  ...server,
  ...gateway,
  ...SweepConfig.shape,
  model: z.string().optional().describe('The model that reviews, instead of the one of the policy'),
  maxRunning: z.coerce.number().int().min(1).default(1).describe('Reviews running at once'),
  ...ShareConfig.shape,
  dataDir: z
    .string()
    .default(() => join(tmpdir(), 'drydock'))
    .describe(
      "Folder of its own for mirrors of repositories, the agents' folders, and the file with the token of the control API",
    ),
});
export type StandaloneConfig = z.infer<typeof StandaloneConfig>;
