import { dropHiddenCharacters } from '@drydock/core';

interface SecretRule {
  /** What is shown in its place. */
  readonly name: string;
  /** Global. A group named `value`, if there is one, is the secret; else the whole match is. */
  readonly pattern: RegExp;
  /** Whether what looks like one really is. */
  readonly accepts?: (value: string) => boolean;
}

const minEntropyBits = 3.2;

const rules: readonly SecretRule[] = [
  {
    name: 'private key',
    pattern:
      /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|$)/g,
  },
  { name: 'Anthropic key', pattern: /\bsk-ant-[\w-]{16,}/g },
  { name: 'OpenAI key', pattern: /\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}/g },
  { name: 'AWS access key', pattern: /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b/g },
  { name: 'GitHub token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{40,})/g },
  {
    name: 'GitLab token',
    pattern: /\b(?:gl(?:pat|dt|ptt|rt|rtr|cbt|ft|imt|agent|soat|ffct|oas|wt)|GR1348941)-?[\w.-]{16,}/g,
  },
  { name: 'Slack token', pattern: /\bxox[abeoprs]-[\w-]{10,}|hooks\.slack\.com\/services\/[\w/]{20,}/g },
  { name: 'Google key', pattern: /\bAIza[\w-]{35}/g },
  { name: 'Stripe key', pattern: /\b[rsp]k_(?:live|test)_[A-Za-z0-9]{16,}/g },
  { name: 'npm token', pattern: /\bnpm_[A-Za-z0-9]{30,}/g },
  { name: 'JSON web token', pattern: /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/g },
  { name: 'password in an address', pattern: /\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/]{0,200}:(?<value>[^\s@/]{3,200})@/gi },
  {
    name: 'secret',
    pattern:
      /(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth)[\w-]{0,40}["'`\])]{0,3}\s{0,4}(?:=>|:=|[:=]){1,2}\s{0,4}["'`]?(?<value>[^\s"'`,;]{8,500})/gi,
    accepts: looksRandom,
  },
  {
    // Between quotes stands a value, however it looks, unless the name says that it is only a name itself.
    name: 'secret',
    pattern:
      /(?:passw(?:or)?d|passphrase)[\w-]{0,40}(?<!name|ref|path|file|ur[il]|id|header|kind|type|field|label)["'`\])]{0,3}\s{0,4}(?:=>|:=|[:=]){1,2}\s{0,4}(?<quote>["'`])(?<value>[^\s"'`${}<>]{8,500})\k<quote>/gi,
    accepts: isNoReference,
  },
  {
    name: 'secret',
    pattern:
      /(?:secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[\w-]{0,40}(?<!name|ref|path|file|ur[il]|id|header|kind|type|field|label)["'`\])]{0,3}\s{0,4}(?:=>|:=|[:=]){1,2}\s{0,4}(?<quote>["'`])(?<value>[^\s"'`${}<>]{12,500})\k<quote>/gi,
    accepts: isNoReference,
  },
];

/** Secrets that stand in a text, to be taken out wherever else they turn up. */
export function findSecrets(text: string): string[] {
  const plain = dropHiddenCharacters(text);
  return rules.flatMap((rule) => matchesOf(rule, plain).map((match) => match.value));
}

/** The text with every secret replaced by its type, those `known` from elsewhere included. */
export function redactSecrets(text: string, known: readonly string[] = []): string {
  const plain = dropHiddenCharacters(text);
  const isSplit = plain !== text && findSecrets(text).length > 0;
  let redacted = isSplit ? plain : text;
  for (const rule of rules) {
    for (const { whole, value } of matchesOf(rule, redacted))
      redacted = redacted.replaceAll(whole, () => whole.replaceAll(value, mask(rule.name)));
  }
  // A short one would take innocent words with it.
  for (const value of known.filter((candidate) => candidate.length >= 6))
    redacted = redacted.replaceAll(value, mask('secret'));
  return redacted;
}

function mask(name: string): string {
  return `(${name} redacted)`;
}

function matchesOf({ pattern, accepts }: SecretRule, text: string): { whole: string; value: string }[] {
  return [...text.matchAll(pattern)]
    .map((match) => ({ whole: match[0], value: match.groups?.['value'] ?? match[0] }))
    .filter(({ value }) => accepts?.(value) ?? true);
}

/** Names, paths and prose have few kinds of characters or little entropy; generated secrets have both. */
function looksRandom(value: string): boolean {
  if (/^[$<{%(]|^process\.|^os\.|\(|redacted/.test(value)) return false;
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^\w]|_/].filter((kind) => kind.test(value)).length;
  return kinds >= 2 && /\d/.test(value) && entropyBits(value) >= minEntropyBits;
}

/** The name of a variable and an address say where a secret is, and paths of files too. */
function isNoReference(value: string): boolean {
  return !/^(?:[A-Z]+(?:_[A-Z]+)+|[a-z][a-z0-9+.-]*:\/\/.*|\.{0,2}\/.*|%.*)$|\(|redacted/.test(value);
}

function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
