/**
 * Requests of git's protocol version 2 as an agent may send them. What is passed on to git is written anew from the
 * parts named here, so that nothing reaches it that was not understood.
 * @see https://git-scm.com/docs/protocol-v2
 */
import { TerminalError } from '@drydock/core';
import { delimiterPacket, flushPacket, packetOf, readPackets, type Packet } from './pkt-line.ts';

/** What the client asks for. `empty` is a probe before a large request. */
export type UploadRequest =
  { readonly kind: 'empty' } | { readonly kind: 'ls-refs'; readonly prefixes: readonly string[] } | FetchRequest;

/** Objects wanted, and the arguments that say how, each of a known form. */
export interface FetchRequest {
  readonly kind: 'fetch';
  readonly wants: readonly string[];
  readonly haves: readonly string[];
  /** Such as `done`, `thin-pack`, `filter blob:none`; in the order they came. */
  readonly options: readonly string[];
}

/** Ids of 40 hex digits, or 64 in a SHA-256 repository. */
export type ObjectFormat = 'sha1' | 'sha256';

const maxWants = 250_000;
const maxHaves = 250_000;
const maxPrefixes = 100;

const idPatterns = { sha1: /^[0-9a-f]{40}$/, sha256: /^[0-9a-f]{64}$/ } as const;

/** No `deepen-not`, which takes names of refs, and no `include-tag`, which adds objects that nobody asked for. */
const fetchOptions =
  /^(?:done|thin-pack|no-progress|ofs-delta|wait-for-done|deepen-relative|deepen [1-9]\d{0,9}|deepen-since [1-9]\d{0,11}|filter (?:blob:none|blob:limit=\d{1,12}[kmg]?|tree:\d{1,4}))$/;
const ignoredOptions = /^(?:include-tag)$/;
const knownCapabilities = /^(?:agent=[\x21-\x7e]{1,200}|object-format=(?:sha1|sha256)|session-id=[\x21-\x7e]{1,200})$/;

/** Reads the body of a `git-upload-pack` request. Throws `TerminalError` at anything else than `ls-refs` or `fetch`. */
export function readUploadRequest(body: Buffer, format: ObjectFormat): UploadRequest {
  const packets = readPackets(body);
  if (packets.length === 1 && packets[0]?.kind === 'flush') return { kind: 'empty' };
  const { command, capabilities, args } = splitRequest(packets);
  for (const capability of capabilities) {
    if (!knownCapabilities.test(capability)) throw refused('a capability that was not offered');
    if (capability.startsWith('object-format=') && capability !== `object-format=${format}`) {
      throw refused('another object format than the repository has');
    }
  }
  switch (command) {
    case 'command=ls-refs':
      return readListing(args);
    case 'command=fetch':
      return readFetch(args, format);
    default:
      throw refused('a command that was not offered');
  }
}

/** The request as git's own upload-pack reads it. */
export function writeFetchRequest(request: FetchRequest, format: ObjectFormat): string {
  return [
    packetOf('command=fetch'),
    packetOf(`object-format=${format}`),
    delimiterPacket,
    ...request.options.map(packetOf),
    ...request.wants.map((id) => packetOf(`want ${id}`)),
    ...request.haves.map((id) => packetOf(`have ${id}`)),
    flushPacket,
  ].join('');
}

function splitRequest(packets: readonly Packet[]): { command: string; capabilities: string[]; args: string[] } {
  const last = packets.at(-1);
  if (last?.kind !== 'flush') throw refused('a request without an end');
  const parts: string[][] = [[]];
  for (const packet of packets.slice(0, -1)) {
    if (packet.kind === 'flush') throw refused('more than one request in a body');
    if (packet.kind === 'delimiter') parts.push([]);
    else parts.at(-1)?.push(packet.text);
  }
  const [head = [], args = [], ...more] = parts;
  const [command, ...capabilities] = head;
  if (command === undefined || more.length > 0) throw refused('a request without a command');
  return { command, capabilities, args };
}

function readListing(args: readonly string[]): UploadRequest {
  const prefixes: string[] = [];
  for (const arg of args) {
    if (arg.startsWith('ref-prefix ')) prefixes.push(arg.slice('ref-prefix '.length));
    else if (arg !== 'peel' && arg !== 'symrefs') throw refused('an argument of ls-refs that was not offered');
  }
  // Like git itself: too many prefixes are none, the client filters what it gets.
  return { kind: 'ls-refs', prefixes: prefixes.length > maxPrefixes ? [] : prefixes };
}

function readFetch(args: readonly string[], format: ObjectFormat): FetchRequest {
  const id = idPatterns[format];
  const wants = new Set<string>();
  const haves = new Set<string>();
  const options: string[] = [];
  for (const arg of args) {
    const [word = '', value = ''] = arg.split(' ', 2);
    if (word === 'want' && id.test(value) && arg === `want ${value}`) wants.add(value);
    else if (word === 'have' && id.test(value) && arg === `have ${value}`) haves.add(value);
    else if (word === 'shallow' && id.test(value) && arg === `shallow ${value}`) options.push(arg);
    else if (fetchOptions.test(arg)) options.push(arg);
    else if (!ignoredOptions.test(arg)) throw refused('an argument of fetch that was not offered');
    if (options.length > maxHaves) throw refused('too many arguments');
  }
  if (wants.size === 0) throw refused('a fetch that wants nothing');
  if (wants.size > maxWants || haves.size > maxHaves) throw refused('too many objects in one request');
  return { kind: 'fetch', wants: [...wants], haves: [...haves], options };
}

function refused(what: string): TerminalError {
  return new TerminalError('request.malformed', `not a git request that is served here: ${what}`);
}
