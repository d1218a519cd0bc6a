import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { mountSmallDisk, whyNoSmallDisk } from './small-disk.ts';

const missing = whyNoSmallDisk();
if (missing !== null) process.stderr.write(`skipped: ${missing}\n`);

(missing === null ? describe : describe.skip)('mountSmallDisk', () => {
  it('is full when it was filled, has room when it was freed, and leaves nothing behind', () => {
    const disk = mountSmallDisk(1);
    const file = join(disk.folder, 'file');
    const write = () => {
      writeFileSync(file, Buffer.alloc(64 * 1024));
    };

    disk.fill();
    expect(write).toThrow(/ENOSPC/);
    disk.free();
    expect(write).not.toThrow();

    disk[Symbol.dispose]();
    expect(existsSync(disk.folder)).toBe(false);
  });
});
