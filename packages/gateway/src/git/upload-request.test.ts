import { describe, expect, it } from '@jest/globals';
import { TerminalError } from '@drydock/core';
import fc from 'fast-check';
import { delimiterPacket, flushPacket, packetOf } from './pkt-line.ts';
import { readUploadRequest, writeFetchRequest } from './upload-request.ts';

const id = 'a'.repeat(40);
const other = 'b'.repeat(40);

function request(head: readonly string[], args: readonly string[]): Buffer {
  return Buffer.from([...head.map(packetOf), delimiterPacket, ...args.map(packetOf), flushPacket].join(''));
}

const fetchOf = (...args: string[]) => request(['command=fetch', 'agent=git/2.39.5', 'object-format=sha1'], args);

describe('readUploadRequest', () => {
  it('reads a fetch as git sends it', () => {
    const body = fetchOf(
      'thin-pack',
      'no-progress',
      'include-tag',
      'ofs-delta',
      'filter blob:none',
      `want ${id}`,
      `want ${id}`,
      `have ${other}`,
      'done',
    );

    expect(readUploadRequest(body, 'sha1')).toEqual({
      kind: 'fetch',
      wants: [id],
      haves: [other],
      options: ['thin-pack', 'no-progress', 'ofs-delta', 'filter blob:none', 'done'],
    });
  });

  it('reads a listing', () => {
    const body = request(['command=ls-refs', 'object-format=sha1'], ['peel', 'symrefs', 'ref-prefix refs/heads/']);

    expect(readUploadRequest(body, 'sha1')).toEqual({ kind: 'ls-refs', prefixes: ['refs/heads/'] });
  });

  it('takes a lone flush as a probe', () => {
    expect(readUploadRequest(Buffer.from('0000'), 'sha1')).toEqual({ kind: 'empty' });
  });

  it('writes a fetch that reads the same', () => {
    const read = readUploadRequest(fetchOf(`want ${id}`, 'deepen 3', `shallow ${other}`, 'done'), 'sha1');
    if (read.kind !== 'fetch') throw new Error('no fetch');

    expect(readUploadRequest(Buffer.from(writeFetchRequest(read, 'sha1')), 'sha1')).toEqual(read);
  });

  it.each([
    ['a ref by name', fetchOf('want-ref refs/heads/main')],
    ['an option of git', fetchOf(`want ${id}`, '--upload-pack=evil')],
    ['pack addresses', fetchOf(`want ${id}`, 'packfile-uris https')],
    ['deepen-not, which takes a ref', fetchOf(`want ${id}`, 'deepen-not refs/heads/secret')],
    ['a filter by an object', fetchOf(`want ${id}`, `filter sparse:oid=${id}`)],
    ['a combined filter', fetchOf(`want ${id}`, 'filter combine:blob:none+tree:0')],
    ['sideband-all', fetchOf(`want ${id}`, 'sideband-all')],
    ['a want with more behind it', fetchOf(`want ${id} extra`)],
    ['a want that is no id', fetchOf('want HEAD')],
    ['an id in upper case', fetchOf(`want ${'A'.repeat(40)}`)],
    ['an id of the other format', fetchOf(`want ${'a'.repeat(64)}`)],
    ['nothing wanted', fetchOf('done')],
    ['a server option', request(['command=fetch', 'server-option=x'], [`want ${id}`])],
    ['another object format', request(['command=fetch', 'object-format=sha256'], [`want ${id}`])],
    ['another command', request(['command=object-info'], [`oid ${id}`])],
    ['no command', request([], [`want ${id}`])],
    ['protocol 0', Buffer.from(`${packetOf(`want ${id} side-band-64k`)}0000${packetOf('done')}`)],
    ['a second request', Buffer.concat([fetchOf(`want ${id}`), fetchOf(`want ${other}`)])],
    ['bytes behind the end', Buffer.concat([fetchOf(`want ${id}`), Buffer.from('x')])],
    ['no end', fetchOf(`want ${id}`).subarray(0, -4)],
    ['a cut packet', Buffer.from('0032want ')],
    ['a length that is none', Buffer.from('zzzz')],
    ['a reserved length', Buffer.from('0002')],
    ['a negative length', Buffer.from('-001')],
    ['a huge line', Buffer.from(`fff0${'a'.repeat(65_516)}`)],
    ['a line feed inside a line', request(['command=fetch'], [`want ${id}\nwant ${other}`])],
    ['a NUL inside a line', request(['command=fetch'], [`want ${id}\0x`])],
    ['nothing', Buffer.from('')],
  ])('refuses %s', (_, body) => {
    expect(() => readUploadRequest(body, 'sha1')).toThrow(TerminalError);
  });

  it('reads or refuses any bytes, and writes only lines of the known forms', () => {
    const line = fc.constantFrom(
      'command=fetch',
      'command=ls-refs',
      `want ${id}`,
      `have ${other}`,
      'done',
      'filter blob:none',
      'deepen 1',
      'want-ref x',
      'thin-pack\0',
      'x',
    );
    const packets = fc.array(fc.oneof(line.map(packetOf), fc.constantFrom('0000', '0001', '0002', '000a', 'zz')));
    fc.assert(
      fc.property(
        fc.oneof(
          packets.map((parts) => Buffer.from(parts.join(''))),
          fc.uint8Array().map(Buffer.from),
        ),
        (body) => {
          try {
            const read = readUploadRequest(body, 'sha1');
            if (read.kind === 'fetch')
              expect(readUploadRequest(Buffer.from(writeFetchRequest(read, 'sha1')), 'sha1')).toEqual(read);
          } catch (error) {
            expect(error).toBeInstanceOf(TerminalError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
