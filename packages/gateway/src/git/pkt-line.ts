import { TerminalError } from '@drydock/core';

/** A packet of git's protocol: a line of text, or a mark. @see https://git-scm.com/docs/protocol-common */
export type Packet =
  { readonly kind: 'line'; readonly text: string } | { readonly kind: 'flush' } | { readonly kind: 'delimiter' };

const maxLineBytes = 1000; // git allows 65520, but no line of a fetch request is longer than an id and a few words

/** Reads a whole request. Throws `TerminalError` (`request.malformed`) at anything that is not a row of packets. */
export function readPackets(bytes: Buffer): Packet[] {
  const packets: Packet[] = [];
  let at = 0;
  while (at < bytes.length) {
    const header = bytes.toString('latin1', at, at + 4);
    if (!/^[0-9a-f]{4}$/i.test(header)) throw malformed('a packet without a length');
    const length = Number.parseInt(header, 16);
    if (length === 0) packets.push({ kind: 'flush' });
    else if (length === 1) packets.push({ kind: 'delimiter' });
    else if (length < 4 || length > maxLineBytes) throw malformed('a packet of a length that no request has');
    else {
      if (at + length > bytes.length) throw malformed('a packet that is cut off');
      packets.push({ kind: 'line', text: lineText(bytes.subarray(at + 4, at + length)) });
    }
    at += Math.max(4, length);
  }
  return packets;
}

/** A line as a packet, with its line feed. */
export function packetOf(text: string): string {
  const line = `${text}\n`;
  return (Buffer.byteLength(line) + 4).toString(16).padStart(4, '0') + line;
}

/** The marks as they are sent. */
export const flushPacket = '0000';
export const delimiterPacket = '0001';

function lineText(line: Buffer): string {
  const text = line.toString('latin1').replace(/\n$/, '');
  if (!/^[\x20-\x7e]*$/.test(text)) throw malformed('a line with control characters');
  return text;
}

function malformed(what: string): TerminalError {
  return new TerminalError('request.malformed', `not a git request: ${what}`);
}
