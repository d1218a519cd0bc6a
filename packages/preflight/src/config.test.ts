import { describe, expect, it } from '@jest/globals';
import { BadSetting, readPreflightConfig } from './config.ts';

const good = {
  DRYDOCK_GATEWAY_URL: 'http://gateway.drydock.internal:8081',
  DRYDOCK_RUN_ID: '0123456789abcdef-1',
  DRYDOCK_PREFLIGHT_TARGETS: '{"hard": ["10.96.0.1:443", "[fd00::1]:53"], "posture": ["fd00::7:10250"]}',
};

describe('readPreflightConfig', () => {
  it('reads addresses of both families, and knows where a pod has its tokens', () => {
    expect(readPreflightConfig(good)).toMatchObject({
      runId: '0123456789abcdef-1',
      hard: [
        { host: '10.96.0.1', port: 443, text: '10.96.0.1:443' },
        { host: 'fd00::1', port: 53 },
      ],
      posture: [{ host: 'fd00::7', port: 10250 }],
      identityFile: '/var/run/drydock/identity/token',
      tokenFile: '/var/run/drydock/run/run-token',
    });
  });

  it('needs no posture', () => {
    expect(readPreflightConfig({ ...good, DRYDOCK_PREFLIGHT_TARGETS: '{"hard":["1.1.1.1:1"]}' }).posture).toEqual([]);
  });

  it.each([
    ['DRYDOCK_GATEWAY_URL', undefined],
    ['DRYDOCK_GATEWAY_URL', 'ftp://canary'],
    ['DRYDOCK_RUN_ID', undefined],
    ['DRYDOCK_RUN_ID', '../canary'],
    ['DRYDOCK_PREFLIGHT_TARGETS', undefined],
    ['DRYDOCK_PREFLIGHT_TARGETS', 'canary'],
    ['DRYDOCK_PREFLIGHT_TARGETS', 'null'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": []}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": "10.96.0.1:443"}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": [443]}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": ["kubernetes.default:443"]}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": ["10.96.0.1:0"]}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": ["10.96.0.1:65536"]}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": ["10.96.0.1"]}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": ["fd00::1"]}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', '{"hard": ["10.96.0.1:80:443"]}'],
    ['DRYDOCK_PREFLIGHT_TARGETS', JSON.stringify({ hard: Array<string>(65).fill('10.96.0.1:443') })],
  ])('refuses for %s the value %p, and does not repeat it', (name, value) => {
    const read = () => readPreflightConfig({ ...good, [name]: value });

    expect(read).toThrow(BadSetting);
    expect(read).toThrow(name);
    expect(read).not.toThrow('canary');
  });
});
