import { ProgressEvent } from '@drydock/core';

/** Controls, direction marks and line ends: what would steer a terminal or forge a line of a log. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** An event as people may be shown it: an agent may write anything into its texts. */
export function plainEvent(event: ProgressEvent): ProgressEvent {
  const plain = Object.entries(event).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'string' ? value.toWellFormed().replace(steering, ' ') : value,
  ]);
  return ProgressEvent.parse(Object.fromEntries(plain));
}
