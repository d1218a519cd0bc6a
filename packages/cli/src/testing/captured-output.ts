import { Writable } from 'node:stream';

/** A stream of a process, as a pipe or a terminal, that keeps what is written to it. */
export interface CapturedOutput {
  readonly stream: NodeJS.WriteStream;
  readonly text: () => string;
}

/** `columns` null: no terminal. */
export function captureOutput(columns: number | null = null): CapturedOutput {
  let text = '';
  const out = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  const facts = columns === null ? {} : { isTTY: true, columns, rows: 24 };
  return { stream: Object.assign(out, facts) as unknown as NodeJS.WriteStream, text: () => text };
}
