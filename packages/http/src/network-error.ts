import { BlockedError, TerminalError, TransientError, type DrydockError } from '@drydock/core';

/** Whose codes an error gets. */
export type Upstream = 'forge' | 'model' | 'control';

const names: Readonly<Record<Upstream, string>> = {
  forge: 'the forge',
  model: 'the model server',
  control: 'the server',
};

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
]);
const timeouts = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known. Check the address in the settings, and the DNS of this machine',
  EAI_AGAIN: 'its name cannot be looked up now. Check the DNS of this machine',
  ECONNREFUSED: 'nothing listens there. Check the address and port in the settings, and that it runs',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  EHOSTUNREACH: 'there is no way to it from this network. A proxy is set with HTTPS_PROXY',
  ENETUNREACH: 'there is no way to it from this network. A proxy is set with HTTPS_PROXY',
  UND_ERR_SOCKET: 'the connection broke',
  UND_ERR_PRX_CONN: 'the proxy closed the connection. Check HTTPS_PROXY',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer broke off',
};

/**
 * What a failed connection or broken answer means. `host` is shown, nothing else of the request: headers, queries and
 * bodies may hold secrets. The vendor's error is only the cause.
 */
export function networkError(upstream: Upstream, host: string, cause: unknown): DrydockError {
  const code = errorCode(cause);
  const message = cause instanceof Error ? cause.message : '';
  const intro = `cannot reach ${names[upstream]} at ${host}`;
  const certificate = certificateProblem(code);
  if (certificate !== null) return new BlockedError(`${upstream}.tls`, `${intro}: ${certificate}`, { cause });
  const proxyStatus = /Proxy response \((\d+)\)/.exec(message)?.[1] ?? (/\(407\)/.test(message) ? '407' : null);
  if (proxyStatus === '407')
    return new BlockedError(
      `${upstream}.unreachable`,
      `${intro}: the proxy asks for a user name and password (407). Put them into HTTPS_PROXY and HTTP_PROXY`,
      { cause },
    );
  if (proxyStatus !== null)
    return new TransientError(
      `${upstream}.unreachable`,
      `${intro}: the proxy answered ${proxyStatus} instead of connecting. Check HTTPS_PROXY and NO_PROXY`,
      { cause },
    );
  if (timeouts.has(code)) return timedOut(upstream, host, cause);
  if (cause instanceof Error && cause.name === 'HTTPParserError')
    return new TransientError(
      `${upstream}.bad_answer`,
      `what ${host} answered is not HTTP. Check the port, and http or https in the address`,
      { cause },
    );
  const reason = reasons[code] ?? 'the connection failed';
  return new TransientError(`${upstream}.unreachable`, `${intro}: ${reason}${code === '' ? '' : ` (${code})`}`, {
    cause,
  });
}

/** It did not answer in time. */
export function timedOut(upstream: Upstream, host: string, cause?: unknown): TransientError {
  return new TransientError(`${upstream}.timeout`, `${names[upstream]} at ${host} did not answer in time`, { cause });
}

/**
 * An answer that sends the request elsewhere: never followed, because the credential would go with it. A permanent one
 * means a wrong address in the settings, another one may be a page shown during maintenance.
 */
export function redirected(upstream: Upstream, from: string, status: number, location: string | null): DrydockError {
  const target = location === null ? 'elsewhere' : `to ${safeOrigin(location, from)}`;
  const message = `${names[upstream]} at ${new URL(from).host} redirects ${target} (${status}), which is not followed: the credential would go there too. Set its final address`;
  return status === 301 || status === 308
    ? new TerminalError(`${upstream}.redirected`, message)
    : new TransientError(`${upstream}.redirected`, message);
}

/** The answer is larger than it may be. */
export function tooLarge(upstream: Upstream, host: string, maxBytes: number): TerminalError {
  return new TerminalError(`${upstream}.bad_answer`, `${host} answered with more than ${maxBytes} bytes`);
}

/** The answer is packed, though none was asked for: unpacking it could fill the memory. */
export function encoded(upstream: Upstream, host: string): TerminalError {
  return new TerminalError(`${upstream}.bad_answer`, `${host} answered with a content encoding that was not asked for`);
}

function certificateProblem(code: string): string | null {
  if (untrusted.has(code))
    return `its certificate is signed by an authority this machine does not trust (${code}). Set DRYDOCK_CA_FILE to a PEM file with the certificate of that authority`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'its certificate is for another host name. Check the address in the settings';
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired';
  if (code === 'CERT_NOT_YET_VALID') return "its certificate is not valid yet. Check this machine's clock";
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO')
    return `it does not speak TLS there (${code}). Check the port, and http or https in the address`;
  return code === 'UND_ERR_PRX_TLS' ? 'the certificate of the proxy is for another host name' : null;
}

function safeOrigin(location: string, from: string): string {
  try {
    const { protocol, host } = new URL(location, from);
    return /^[a-z]+:$/.test(protocol) && host !== '' ? `${protocol}//${host}` : 'elsewhere';
  } catch {
    return 'elsewhere';
  }
}

function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const own = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // Undici wraps what happened inside a proxy's tunnel.
  return own === '' && 'cause' in error ? errorCode(error.cause) : own;
}
