import {
  aDeadLetter,
  aTask,
  adminToken,
  startFakeControlApi,
  type FakeControlApi,
} from '../client/testing/fake-control-api.ts';
import { startCommand } from './start-command.ts';

/** A server with a task that waits, one that runs and three dead letters, in two projects of a shop. */
export async function startShopApi(): Promise<FakeControlApi> {
  const api = await startFakeControlApi();
  api.tasks = [
    aTask(7),
    aTask(8, { state: 'running', readyAtMs: null, attempt: 1 }),
    aDeadLetter(12),
    aDeadLetter(13, {
      projectPath: 'shop/web',
      subject: { forge: 'gitlab', projectId: '43', iid: 13 },
      taskId: 'review:gitlab:43:13',
    }),
    aDeadLetter(14, { lastError: { code: 'run.crashed', message: 'the agent ended with 1' } }),
  ];
  const common = { forge: 'gitlab', waiting: 0, running: 0, isPaused: false, weight: 1, maxRunning: null };
  api.projects = [
    { ...common, projectId: '42', projectPath: 'shop/api', waiting: 1, running: 1 },
    { ...common, projectId: '43', projectPath: 'shop/web', weight: 2, maxRunning: 1 },
  ];
  return api;
}

/** Starts the command as its administrator, unless the environment says otherwise. */
export function startAt(api: FakeControlApi, args: readonly string[], environment: Record<string, string> = {}) {
  return startCommand(args, {
    environment: { DRYDOCK_SERVER_URL: api.url, DRYDOCK_TOKEN: adminToken, ...environment },
  });
}

/** Runs a command line to its end; the arguments are parted by blanks. */
export function runAt(api: FakeControlApi, args: string, environment: Record<string, string> = {}) {
  const words = args.split(' ').filter((arg) => arg !== '');
  return startAt(api, words, environment).ended;
}
