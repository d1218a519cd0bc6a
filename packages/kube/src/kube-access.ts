/**
 * How an API server is reached and who we are to it. What lies in files (a projected token, certificates, the CA) is
 * read again each minute, and at once after a 401 or a broken handshake: the kubelet replaces a token long before it
 * ends, and a cluster's CA may change under a process that runs for months.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import { BlockedError, ConfigError, type Clock } from '@drydock/core';

/** TLS options of a connection. */
export type KubeTls = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'>;

/** Who we are, as of the last reading. */
export interface KubeCredentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: KubeTls;
  /** Changes when `tls` does: connections made before are then let go. */
  readonly tlsVersion: string;
}

/** One API server, seen by one client. */
export interface KubeAccess {
  /** `https://host:port`, perhaps with a path. */
  readonly server: string;
  /** The namespace that the configuration names: in a pod its own. */
  readonly namespace: string | null;
  /** `isFresh`: what was read less than a minute ago will not do. */
  credentials(isFresh: boolean): Promise<KubeCredentials>;
}

/** Where to look, in this order; `main.ts` takes it from the environment. */
export interface KubeAccessSettings {
  /** A kubeconfig file; null: this process runs in a pod. */
  readonly kubeconfigFile: string | null;
  /** A context of that file; null: its current one. */
  readonly context?: string | null;
  /** `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`. */
  readonly service: { readonly host: string; readonly port: string } | null;
  readonly clock: Clock;
  /** Where the kubelet puts token, CA and namespace; given only by tests. */
  readonly serviceAccountFolder?: string;
}

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';
const readAgainMs = 60_000;

/** Finds the API server. Throws a `ConfigError` that says what is missing. */
export async function loadKubeAccess(settings: KubeAccessSettings): Promise<KubeAccess> {
  if (settings.kubeconfigFile !== null) return kubeconfigAccess(settings.kubeconfigFile, settings);
  if (settings.service === null)
    throw new ConfigError('no Kubernetes API: this process runs in no pod, and KUBECONFIG is not set');
  return inClusterAccess(settings.service, settings);
}

/**
 * In a pod three files say everything. They are read here and not by client-node: its code takes 85 MB of memory and
 * a second to load, and nothing of it would be used.
 */
async function inClusterAccess(
  { host, port }: { readonly host: string; readonly port: string },
  { clock, serviceAccountFolder: folder = serviceAccountFolder }: KubeAccessSettings,
): Promise<KubeAccess> {
  const read = async (): Promise<KubeCredentials> => {
    const [token, ca] = await Promise.all([readFile(join(folder, 'token'), 'utf8'), readFile(join(folder, 'ca.crt'))]);
    return versioned({ authorization: `Bearer ${token.trim()}` }, { ca });
  };
  const namespace = await readFile(join(folder, 'namespace'), 'utf8').catch(() => '');
  const access = {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim() === '' ? null : namespace.trim(),
    credentials: rereading(read, clock),
  };
  await firstReading(access, folder);
  return access;
}

async function kubeconfigAccess(file: string, { clock, context }: KubeAccessSettings): Promise<KubeAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const load = () => {
    const config = new KubeConfig();
    config.loadFromFile(file);
    if (context !== undefined && context !== null) config.setCurrentContext(context);
    return config;
  };
  const read = async (): Promise<KubeCredentials> => {
    const options: RequestOptions = {};
    await load().applyToHTTPSOptions(options);
    const headers = textHeaders(options.headers);
    if (typeof options.auth === 'string')
      headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    const { ca, cert, key, passphrase, servername, rejectUnauthorized } = options;
    return versioned(
      headers,
      Object.fromEntries(
        Object.entries({ ca, cert, key, passphrase, servername, rejectUnauthorized }).filter(
          ([, value]) => value !== undefined,
        ),
      ),
    );
  };
  const config = loadOrSayWhy(load, file);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new ConfigError(`${file} names no cluster for its current context`);
  if (cluster.proxyUrl !== undefined) throw new ConfigError(`${file} asks for a proxy, which is not supported`);
  const access = {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? null,
    credentials: rereading(read, clock),
  };
  await firstReading(access, file);
  return access;
}

function loadOrSayWhy<T>(load: () => T, file: string): T {
  try {
    return load();
  } catch (cause) {
    throw new ConfigError(`the kubeconfig ${file} cannot be read`, { cause });
  }
}

async function firstReading(access: KubeAccess, place: string): Promise<void> {
  try {
    await access.credentials(true);
  } catch (cause) {
    throw new ConfigError(`the credentials for the Kubernetes API in ${place} cannot be read`, { cause });
  }
}

/** One reading serves all who ask in the same minute. A file that cannot be read just now leaves us what we had. */
function rereading(read: () => Promise<KubeCredentials>, clock: Clock): KubeAccess['credentials'] {
  let last: { readonly credentials: KubeCredentials; readonly atMs: number } | null = null;
  let reading: Promise<KubeCredentials> | null = null;
  const readNow = async () => {
    try {
      const credentials = await read();
      last = { credentials, atMs: clock.monotonicMs() };
      return credentials;
    } catch (cause) {
      if (last === null)
        throw new BlockedError('kube.unauthorized', 'the credentials for the Kubernetes API cannot be read', { cause });
      last = { ...last, atMs: clock.monotonicMs() };
      return last.credentials;
    } finally {
      reading = null;
    }
  };
  return async (isFresh) => {
    if (!isFresh && last !== null && clock.monotonicMs() - last.atMs < readAgainMs) return last.credentials;
    reading ??= readNow();
    return reading;
  };
}

function versioned(headers: Readonly<Record<string, string>>, tls: KubeTls): KubeCredentials {
  const text = JSON.stringify([tls.ca, tls.cert, tls.key]);
  return { headers, tls, tlsVersion: createHash('sha256').update(text).digest('hex') };
}

function textHeaders(headers: RequestOptions['headers']): Record<string, string> {
  const entries = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return Object.fromEntries(entries) as Record<string, string>;
}
