/**
 * The stored form of a task, version 3: a map of texts, packed as MessagePack by the scripts (`lua/prelude.lua`), which
 * pack and unpack it in C. Here it is only read.
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** A place in what is being read. */
interface Reader {
  readonly bytes: Buffer;
  at: number;
}

/** The fields of a packed task. Throws when it is anything else than a map of texts. */
export function unpackTask(bytes: Buffer): Record<string, string> {
  const reader = { bytes, at: 0 };
  const fields: Record<string, string> = {};
  for (let left = mapLength(reader); left > 0; left -= 1) {
    const name = readText(reader);
    fields[name] = readText(reader);
  }
  if (reader.at !== bytes.length) throw new Error('more than one map');
  return fields;
}

function mapLength(reader: Reader): number {
  const mark = reader.bytes.readUInt8(reader.at++);
  if (mark >> 4 === 0x8) return mark & 0xf;
  if (mark === 0xde) return readLength(reader, 2);
  throw new Error('not a map');
}

function readText(reader: Reader): string {
  const { bytes } = reader;
  const length = textLength(reader, bytes.readUInt8(reader.at++));
  const end = reader.at + length;
  if (end > bytes.length) throw new Error('a text is cut off');
  const text = bytes.toString('utf8', reader.at, end);
  reader.at = end;
  return text;
}

function textLength(reader: Reader, mark: number): number {
  if (mark >> 5 === 0b101) return mark & 0x1f;
  if (mark === 0xd9) return readLength(reader, 1);
  if (mark === 0xda) return readLength(reader, 2);
  if (mark === 0xdb) return readLength(reader, 4);
  throw new Error('not a text');
}

function readLength(reader: Reader, size: number): number {
  const length = reader.bytes.readUIntBE(reader.at, size);
  reader.at += size;
  return length;
}
