import type { KeyPair } from './certificates.ts';

/** How a client proves who it is. */
export type Credential =
  { readonly kind: 'certificate'; readonly pair: KeyPair } | { readonly kind: 'token'; readonly token: string };

/** A kubeconfig that needs no other file. JSON is YAML, so every client reads it. */
export function renderKubeconfig(server: string, authority: string, credential: Credential): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const user =
    credential.kind === 'token'
      ? { token: credential.token }
      : {
          'client-certificate-data': base64(credential.pair.certificate),
          'client-key-data': base64(credential.pair.key),
        };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'drydock-test',
    contexts: [{ name: 'drydock-test', context: { cluster: 'drydock-test', user: 'drydock-test' } }],
    clusters: [{ name: 'drydock-test', cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [{ name: 'drydock-test', user }],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
