import { readConfig, SecretText, type Secret } from '@drydock/core';
import { GatewayConfig, gatewaySettings, type GatewaySettings } from '@drydock/gateway';
import { z } from 'zod';

/** What the live suite is run with. */
export interface LiveSettings {
  readonly gateway: Pick<GatewaySettings, 'forges' | 'model' | 'proxy' | 'caPem'>;
  /** Which model, if not the policy's. */
  readonly modelName: string | null;
  /** Path or numeric id of the scratch project. */
  readonly project: string;
  /** Of a person; null: the bot does what people do. */
  readonly userToken: Secret | null;
  /** Where git is found, in the manner of PATH. */
  readonly searchPath: string;
  /** Takes one line for people. */
  readonly say: (line: string) => void;
}

/** The settings, or what is missing. Steps that need a model or a person are left out where there is none. */
export type LiveSettingsRead =
  | { readonly kind: 'missing'; readonly names: readonly string[] }
  | {
      readonly kind: 'ready';
      readonly hasModel: boolean;
      readonly hasPerson: boolean;
      readonly open: (say: LiveSettings['say']) => Promise<LiveSettings>;
    };

type Environment = Readonly<Record<string, string | undefined>>;

const required = ['DRYDOCK_GITLAB_URL', 'DRYDOCK_GITLAB_TOKEN', 'DRYDOCK_LIVE_PROJECT'];
/** A gateway without a model is never asked for one. */
const noModelUrl = 'http://127.0.0.1:9';

/** Own keys, own policy, own queue: what a running Drydock is set to must not change what is tested. */
const {
  controlToken: _controlToken,
  gatewayHost: _host,
  gatewayPort: _port,
  gatewayDataDir: _folder,
  redisUrl: _redis,
  markerKeys: _markers,
  policyFile: _policy,
  forgeId: _forge,
  ...gateway
} = GatewayConfig.shape;

const LiveConfig = z.object({
  ...gateway,
  model: z.string().optional().describe('The model that reviews, instead of the one of the policy'),
  liveProject: z.string().min(1).describe('Path or numeric id of a scratch project'),
  liveUserToken: SecretText.optional().describe('Token of a person, scope api, who is Developer in that project'),
});

/** Reads what `make test-live` was given. Throws a `ConfigError` for a setting that is wrong. */
export function readLiveSettings(environment: Environment): LiveSettingsRead {
  const isSet = (name: string) => (environment[name] ?? '') !== '';
  const names = required.filter((name) => !isSet(name));
  if (names.length > 0) return { kind: 'missing', names };
  const config = readConfig(LiveConfig, environment);
  const hasModel = isSet('ANTHROPIC_API_KEY') || isSet('DRYDOCK_MODEL_URL');
  return {
    kind: 'ready',
    hasModel,
    hasPerson: config.liveUserToken !== undefined,
    open: async (say) => ({
      gateway: await gatewaySettings({
        ...config,
        ...(hasModel ? {} : { modelUrl: noModelUrl }),
        controlToken: [],
        markerKeys: [],
        gatewayHost: '',
        gatewayPort: 0,
        gatewayDataDir: '',
        forgeId: 'gitlab',
      }),
      modelName: config.model ?? null,
      project: config.liveProject,
      userToken: config.liveUserToken ?? null,
      searchPath: config.path,
      say,
    }),
  };
}
