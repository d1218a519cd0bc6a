import { inflateRawSync } from 'node:zlib';

const endSignature = 0x06054b50;
const endBytes = 22;
const entryBytes = 46;
const localBytes = 30;

/** One file of a zip archive, stored or deflated. Throws an `Error` if it is not there. */
export function readZipEntry(zip: Buffer, name: string): Buffer {
  let end = zip.length - endBytes;
  while (end >= 0 && zip.readUInt32LE(end) !== endSignature) end -= 1;
  if (end < 0) throw new Error('this is no zip archive');
  const count = zip.readUInt16LE(end + 10);
  let at = zip.readUInt32LE(end + 16);
  for (let index = 0; index < count; index += 1) {
    const method = zip.readUInt16LE(at + 10);
    const size = zip.readUInt32LE(at + 20);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const local = zip.readUInt32LE(at + 42);
    const afterName = at + entryBytes + (nameLength ?? 0);
    if (zip.toString('utf8', at + entryBytes, afterName) === name) {
      const start = local + localBytes + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(start, start + size);
      return method === 0 ? bytes : inflateRawSync(bytes);
    }
    at = afterName + (extraLength ?? 0) + (commentLength ?? 0);
  }
  throw new Error(`the archive holds no ${name}`);
}
