import type { ClientSettings } from './client-settings.ts';
import { createPlainTransport, type Transport } from './plain-transport.ts';

/** The way to the server: the light one where neither TLS nor a proxy is on it. */
export async function createTransport({ serverUrl, timeoutMs, caPem, proxy }: ClientSettings): Promise<Transport> {
  const { protocol, hostname } = new URL(serverUrl);
  const isHere = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  if (protocol === 'http:' && (isHere || proxy.httpProxy === null)) return createPlainTransport(timeoutMs);
  const { createHttpClient } = await import('@drydock/http');
  return createHttpClient({
    upstream: 'control',
    // A proxy that was set for the outside would look for the server on its own machine.
    proxy: isHere ? { httpProxy: null, httpsProxy: null, noProxy: null } : proxy,
    caPem,
    timeouts: { connectMs: timeoutMs, headersMs: timeoutMs, idleMs: timeoutMs, totalMs: timeoutMs },
  });
}
