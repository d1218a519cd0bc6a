import { nodeAddress, podRange, worldAddress, type NodeLayout } from './layout.ts';
import { runOk } from './run.ts';

/**
 * What answers in the world beside its own address: what pods must never reach though it exists, public addresses
 * (the ranges for documentation, and one of a well-known resolver) and those where clouds keep their metadata.
 */
const worldRanges = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '8.8.8.8/32', '169.254.0.0/16'];

/**
 * Two network namespaces, joined by a veth pair: the node, and the world as the node sees it. Neither has a way out, so
 * no packet of a pod can leave the machine, wherever it is sent.
 */
export async function createNetwork({ netns, worldNetns }: NodeLayout, signal: AbortSignal): Promise<void> {
  const ip = (...args: string[]) => runOk('ip', args, { signal });
  await ip('netns', 'add', netns);
  await ip('netns', 'add', worldNetns);
  await runOk('ip', ['-batch', '-', '-netns', netns], {
    signal,
    input: [
      'link set lo up',
      `link add n0 type veth peer name n0 netns ${worldNetns}`,
      `addr add ${nodeAddress}/24 dev n0`,
      'link set n0 up',
      `route add default via ${worldAddress}`,
    ].join('\n'),
  });
  await runOk('ip', ['-batch', '-', '-netns', worldNetns], {
    signal,
    input: [
      'link set lo up',
      `addr add ${worldAddress}/24 dev n0`,
      'link set n0 up',
      `route add ${podRange} via ${nodeAddress}`,
      ...worldRanges.map((range) => `route add local ${range} dev lo`),
    ].join('\n'),
  });
  await runOk('ip', ['netns', 'exec', netns, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'], { signal });
}
