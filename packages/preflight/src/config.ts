/**
 * The settings, read without a schema library: this program is loaded at the start of every pod, and its place is so
 * small that nothing is in it that need not be.
 */
import { isIP } from 'node:net';

/** An address to try. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** As it was written. */
  readonly text: string;
}

/** All that the init container is given. */
export interface PreflightConfig {
  readonly gatewayUrl: URL;
  readonly runId: string;
  /** Must not answer. At least one: who tries nothing proves nothing. */
  readonly hard: readonly Target[];
  /** Are tried and told. */
  readonly posture: readonly Target[];
  /** The projected token of the pod. */
  readonly identityFile: string;
  /** Where the run token goes. */
  readonly tokenFile: string;
}

/** A setting is wrong; the message names it and repeats no value. */
export class BadSetting extends Error {}

type Environment = Readonly<Record<string, string | undefined>>;

const maxTargets = 64;

/** Reads the settings. Throws `BadSetting`. */
export function readPreflightConfig(environment: Environment): PreflightConfig {
  const { hard, posture } = readTargets(environment['DRYDOCK_PREFLIGHT_TARGETS']);
  const runId = environment['DRYDOCK_RUN_ID'] ?? '';
  if (!/^[0-9a-f]{16}-[1-9]\d*$/.test(runId)) throw new BadSetting('DRYDOCK_RUN_ID: no id of a run');
  return {
    gatewayUrl: readUrl(environment['DRYDOCK_GATEWAY_URL']),
    runId,
    hard,
    posture,
    identityFile: environment['DRYDOCK_IDENTITY_TOKEN_FILE'] ?? '/var/run/drydock/identity/token',
    tokenFile: environment['DRYDOCK_RUN_TOKEN_FILE'] ?? '/var/run/drydock/run/run-token',
  };
}

function readUrl(text = ''): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new BadSetting('DRYDOCK_GATEWAY_URL: no http or https URL');
  return url;
}

/** `{"hard": ["10.96.0.1:443", …], "posture": […]}`. */
function readTargets(json = ''): Pick<PreflightConfig, 'hard' | 'posture'> {
  const bad = (why: string) => new BadSetting(`DRYDOCK_PREFLIGHT_TARGETS: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw bad('no JSON');
  }
  if (typeof value !== 'object' || value === null) throw bad('no object with "hard" and "posture"');
  const listOf = (list: unknown = []) => {
    if (!Array.isArray(list)) throw bad('"hard" and "posture" must be lists');
    return list.map((text: unknown) => {
      const target = typeof text === 'string' ? parseTarget(text) : null;
      if (target === null) throw bad('an entry is no address with a port, such as 10.96.0.1:443 or [fd00::1]:443');
      return target;
    });
  };
  const hard = listOf('hard' in value ? value.hard : undefined);
  const posture = listOf('posture' in value ? value.posture : undefined);
  if (hard.length === 0) throw bad('"hard" names no address: nothing would be proven');
  if (hard.length + posture.length > maxTargets) throw bad(`more than ${String(maxTargets)} addresses`);
  return { hard, posture };
}

/**
 * Addresses only: a name that resolves to nothing would fail for the wrong reason. Kubernetes writes a node's IPv6
 * address without brackets; the port is what follows the last colon.
 */
function parseTarget(text: string): Target | null {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]+)\]|(.+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(digits);
  return isIP(host) === 0 || port < 1 || port > 65_535 ? null : { host, port, text };
}
