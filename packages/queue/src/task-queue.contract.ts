import { afterEach, describe } from '@jest/globals';
import { controlContract } from './contract/control.contract.ts';
import { endContract } from './contract/end.contract.ts';
import { enqueueContract } from './contract/enqueue.contract.ts';
import { leaseContract } from './contract/lease.contract.ts';
import type { MakeQueue, QueueUnderTest } from './contract/queue-under-test.ts';

/** Registers the suite that every queue passes. */
export function describeTaskQueue(name: string, makeQueue: MakeQueue): void {
  describe(name, () => {
    const made: QueueUnderTest[] = [];
    const makeTracked: MakeQueue = async (settings) => {
      const under = await makeQueue(settings);
      made.push(under);
      return under;
    };
    afterEach(async () => {
      await Promise.all(made.splice(0).map(({ queue }) => queue.close()));
    });

    enqueueContract(makeTracked);
    leaseContract(makeTracked);
    endContract(makeTracked);
    controlContract(makeTracked);
  });
}
