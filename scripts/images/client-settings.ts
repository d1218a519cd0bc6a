import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the build stages find the authorities of this machine: not the usual place, which the images are copied from. */
const caInside = '/etc/drydock-build/ca.pem';
/** What of apt's settings says how to reach a mirror; the rest is the base image's own. */
const aptReach = /^Acquire::(http|https|ftp|Retries|ForceIPv[46]|Check-Date|Check-Valid-Until|Max-ValidTime)\b/i;
const proxyNames = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

/**
 * How this machine reaches its registries, as arguments of `buildah bud`: mounts over the build stages, gone with them,
 * and proxies as build arguments that no image keeps. Files with settings are written to `folder`, for its user alone.
 */
export function clientSettings(folder: string, env: NodeJS.ProcessEnv): readonly string[] {
  const npm = npmSettings();
  const cafile = /^cafile\s*=\s*"?([^"\n]+?)"?\s*$/m.exec(npm)?.[1] ?? env['NODE_EXTRA_CA_CERTS'];
  const ca = cafile !== undefined && existsSync(cafile) ? cafile : null;
  const own = npm.replaceAll(/^cafile\s*=.*$/gm, '') + (ca === null ? '' : `\ncafile=${caInside}\n`);
  return [
    ...mount(folder, 'npmrc', own, '/root/.npmrc'),
    ...mount(folder, 'apt.conf', aptSettings(), '/etc/apt/apt.conf.d/99drydock-build'),
    ...(ca === null ? [] : ['--volume', `${ca}:${caInside}:ro`]),
    ...proxyNames.flatMap((name) => (env[name] === undefined ? [] : ['--build-arg', name])),
  ];
}

function mount(folder: string, name: string, text: string, target: string): string[] {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return ['--volume', `${file}:${target}:ro`];
}

function npmSettings(): string {
  const files = [npmConfig('globalconfig'), process.env['NPM_CONFIG_USERCONFIG'] ?? join(homedir(), '.npmrc')];
  const texts = files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''));
  return [...texts, `registry=${npmConfig('registry')}`].join('\n');
}

function npmConfig(key: string): string {
  return execFileSync('npm', ['config', 'get', key], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** Empty where there is no apt. */
function aptSettings(): string {
  try {
    const dump = execFileSync('apt-config', ['dump'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return `${dump
      .split('\n')
      .filter((line) => aptReach.test(line))
      .join('\n')}\n`;
  } catch {
    return '';
  }
}
