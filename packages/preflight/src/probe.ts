import { connect } from 'node:net';
import type { ProbeOutcome } from '@drydock/core';
import type { Target } from './config.ts';

const outcomes: Readonly<Record<string, ProbeOutcome>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'refused',
  EHOSTUNREACH: 'no-route',
  ENETUNREACH: 'no-route',
  EADDRNOTAVAIL: 'no-route',
  EAFNOSUPPORT: 'no-route',
  ENETDOWN: 'no-route',
  EACCES: 'no-route',
  EPERM: 'no-route',
  ETIMEDOUT: 'timeout',
};

/** Tries to connect; nothing is sent. */
export function probe({ host, port }: Target, timeoutMs: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (outcome: ProbeOutcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(end, timeoutMs, 'timeout');
    socket.on('connect', () => {
      end('connected');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end(outcomes[error.code ?? ''] ?? 'failed');
    });
  });
}
