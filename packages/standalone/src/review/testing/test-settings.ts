import { ReviewPolicy } from '@drydock/core';
import type { ReviewSettings } from '../review-settings.ts';

/** Settings of a review in a test: scripted, nothing kept, all that it writes below `folder`. */
export function testReviewSettings(
  folder: string,
  settings: Pick<ReviewSettings, 'subject'> & Partial<ReviewSettings>,
): ReviewSettings {
  return {
    model: { kind: 'scripted' },
    policy: ReviewPolicy.parse({}),
    maxCostUsd: null,
    only: [],
    skip: [],
    cacheDir: null,
    forge: { id: 'gitlab', baseUrl: 'https://gitlab.com', token: null },
    markerKeys: [],
    proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
    caPem: null,
    searchPath: '/usr/local/bin:/usr/bin:/bin',
    environment: { HOME: folder },
    tempDir: folder,
    ...settings,
  };
}
