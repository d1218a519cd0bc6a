import { describe, expect, it } from '@jest/globals';
import { PodSettings, podAfterOom } from './pod-settings.ts';

describe('the pod of one more attempt after a lack of memory', () => {
  const podOf = (memory: string, memoryAfterOom: string | null) => PodSettings.parse({ memory, memoryAfterOom });

  it.each([
    ['1Gi', '3Gi', '3Gi'],
    ['1Gi', '1500Mi', '1500Mi'],
    ['900M', '1G', '1G'],
  ])('has more than %s where %s is given', (memory, given, expected) => {
    expect(podAfterOom(podOf(memory, given))).toEqual({ ...podOf(memory, given), memory: expected });
  });

  it.each([
    ['3Gi', '2Gi'],
    ['2Gi', '2048Mi'],
    ['1Gi', null],
  ])('is none where %s would become %s', (memory, given) => {
    expect(podAfterOom(podOf(memory, given))).toBeNull();
  });
});
