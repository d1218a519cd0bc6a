import type { TaskId } from '@drydock/core';
import type { TaskQueue } from '@drydock/queue';
import type { BadNetwork } from './bad-network.ts';
import type { MortalProcess } from './mortal-process.ts';

const never = new AbortController().signal;

/** A port as a process of the simulation holds it: asked over a network, for as long as the process lives. */
export function heldBy<Port extends object>(process: MortalProcess, network: BadNetwork, port: Port): Port {
  return new Proxy(port, {
    get(target, name): unknown {
      const method: unknown = Reflect.get(target, name, target);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]): Promise<unknown> => {
        const last = args.at(-1);
        const signal = last instanceof AbortSignal ? last : never;
        return process.ask(() => network.carry(async () => Reflect.apply(method, target, args) as unknown, signal));
      };
    },
  });
}

/** A queue as a process holds it. Waking is no call: it comes, unless the process cannot hear. */
export function queueHeldBy(process: MortalProcess, network: BadNetwork, queue: TaskQueue): TaskQueue {
  const held = heldBy(process, network, queue);
  return new Proxy(held, {
    get(target, name): unknown {
      if (name !== 'onWake') return Reflect.get(target, name, target);
      return (listener: () => void, interruptOf?: TaskId) =>
        queue.onWake(() => {
          if (!process.isDead && !process.isFrozen) listener();
        }, interruptOf);
    },
  });
}
