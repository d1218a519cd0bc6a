/** Writes a text and waits until it is taken, so that a long list does not pile up. A reader that left is no error. */
export async function writeOut(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (text === '') return;
  await new Promise<void>((resolve, reject) => {
    stream.write(text, (error) => {
      const isGone = error instanceof Error && 'code' in error && error.code === 'EPIPE';
      if (error === undefined || error === null || isGone) resolve();
      else reject(error);
    });
  });
}
