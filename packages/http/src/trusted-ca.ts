import { X509Certificate } from 'node:crypto';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { ConfigError } from '@drydock/core';

const certificateBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Every certificate authority that is trusted, as one PEM text: Node's own, the operating system's, and the private
 * ones of `caPem`. For programs such as git, whose setting replaces the system's instead of adding to it.
 * Throws a `ConfigError` when `caPem` holds no certificate that can be read.
 */
export function trustedCaPem(caPem: string | null): string {
  return trustedCertificates(caPem).join('\n');
}

/** The same set made ready once: parsing some hundred certificates for every connection would cost more than the call. */
export function trustedContext(caPem: string | null): SecureContext {
  return createSecureContext({ ca: trustedCertificates(caPem) });
}

function trustedCertificates(caPem: string | null): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...privateCertificates(caPem)])];
}

function privateCertificates(caPem: string | null): string[] {
  if (caPem === null) return [];
  const blocks = caPem.match(certificateBlock) ?? [];
  if (blocks.length === 0)
    throw new ConfigError('DRYDOCK_CA_FILE holds no certificate: it must be a PEM file with BEGIN CERTIFICATE in it');
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch (cause) {
      throw new ConfigError(`DRYDOCK_CA_FILE: certificate number ${index + 1} in it cannot be read`, { cause });
    }
  }
  return blocks;
}
