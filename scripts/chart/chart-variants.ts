/** Installations that the chart is tested with: values by a name. */
export const chartVariants: Readonly<Record<string, object>> = {
  default: {},
  'existing-secrets': {
    secrets: {
      server: { existingSecret: 'my-webhooks' },
      gateway: { existingSecret: 'my-keys' },
      internal: { existingSecret: 'my-tokens', generate: false },
    },
    redis: { existingSecret: 'my-redis', generate: false },
  },
  'external-redis': { redis: { enabled: false, existingSecret: 'my-redis', externalPort: 6380 } },
  small: {
    server: { replicas: 1 },
    scheduler: { replicas: 1 },
    gateway: { replicas: 1, service: { clusterIP: '10.96.0.81' } },
    redis: { persistence: { enabled: false }, service: { clusterIP: '10.96.0.63' } },
    networkPolicy: { dnsPorts: [] },
  },
  everything: {
    image: {
      registry: 'registry.example.com/drydock',
      tag: '0.1.0-rc.1',
      digests: { agent: `sha256:${'a'.repeat(64)}` },
      pullPolicy: 'Always',
      pullSecrets: ['registry'],
    },
    forge: { id: 'gitlab-eu', url: 'https://gitlab.example.com' },
    projects: 'group/*',
    policy: 'minSeverity: medium\n',
    caBundle: { configMap: 'authorities', key: 'bundle.pem' },
    secrets: {
      server: { webhookSecrets: 'a-webhook-secret', viewerTokens: 'ada:0123456789abcdef', adminTokens: '' },
      gateway: { gitlabToken: 'a-gitlab-token', anthropicApiKey: 'a-model-key' },
    },
    redis: { persistence: { size: '16Gi', storageClass: 'fast' }, image: 'docker.io/valkey/valkey:8.1-bookworm' },
    server: {
      replicas: 3,
      settings: { DRYDOCK_DEBOUNCE_MS: 2000, DRYDOCK_KEEP_DAYS: 60 },
      priorityClassName: 'important',
      nodeSelector: { pool: 'control' },
      tolerations: [{ key: 'control', operator: 'Exists' }],
      service: { type: 'LoadBalancer', port: 80 },
      ingress: {
        enabled: true,
        className: 'nginx',
        host: 'drydock.example.com',
        paths: ['/webhooks', '/api/v1'],
        tlsSecret: 'drydock-tls',
        annotations: { 'cert-manager.io/cluster-issuer': 'letsencrypt' },
      },
    },
    scheduler: { replicas: 3, maxRunning: 200, settings: { DRYDOCK_SWEEP_EVERY_MS: 600000 } },
    gateway: {
      settings: { DRYDOCK_MODEL_URL: 'https://models.example.com', HTTPS_PROXY: 'http://proxy.example.com:3128' },
      dataSize: '100Gi',
      graceSeconds: 120,
    },
    tasks: { namespace: 'reviews', podSecurityVersion: 'v1.34', quota: { pods: 10 } },
    networkPolicy: {
      apiServerCidrs: ['192.0.2.10/32'],
      upstreamPorts: [443, 3128],
      upstreamCidrs: ['198.51.100.0/24', '2001:db8::/32'],
      webhookNamespaces: { 'kubernetes.io/metadata.name': 'ingress-nginx' },
      metricsNamespaces: { 'kubernetes.io/metadata.name': 'monitoring' },
    },
    crds: { keep: false },
  },
};
