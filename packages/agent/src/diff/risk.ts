import type { FileDiff } from '@drydock/core';

const sensitive =
  /auth|login|session|token|secret|crypt|password|passwd|permission|acl|payment|billing|invoice|sql|migrat|deserial|upload|sanitiz|escape|(?:^|\/)\.gitlab-ci|(?:^|\/)\.github\/|dockerfile|\.tf$|\.sh$/i;
const tests = /(?:^|\/)(?:tests?|spec|specs|__tests__|fixtures|testdata)\/|[._-](?:test|spec)\.[a-z]+$|_test\.[a-z]+$/i;
const prose = /\.(?:md|mdx|rst|txt|adoc|svg|po|pot)$/i;
const data = /\.(?:json|ya?ml|toml|ini|csv|xml|lock)$/i;

/** Higher is read first when not everything can be read. A guess by name, so that the riskiest files are never the ones cut. */
export function riskOf(file: FileDiff): number {
  const path = file.newPath;
  if (prose.test(path)) return 0;
  const base = tests.test(path) ? 1 : data.test(path) ? 2 : 3;
  const isSensitive = base > 1 && sensitive.test(path);
  return (isSensitive ? base + 2 : base) - (file.status === 'deleted' ? 0.5 : 0);
}
