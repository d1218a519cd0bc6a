import type { BuildProgress } from './build-programs.ts';
import type { Product } from './make-product.ts';

/** One line for each product: on a terminal with its time running, else again every half minute. */
export function showBuildProgress(output: NodeJS.WriteStream): BuildProgress & Disposable {
  let ticker: NodeJS.Timeout | undefined;
  const stop = () => clearInterval(ticker);
  const label = ({ name }: Product, position: number, count: number) => `[${position}/${count}] ${name}`;
  let current = '';
  return {
    begin(product, position, count) {
      current = label(product, position, count);
      const startedMs = performance.now();
      const line = () =>
        `${current}: ${Math.round((performance.now() - startedMs) / 1000)} s (about ${product.expectedSeconds} s)`;
      if (output.isTTY) output.write(line());
      else output.write(`${current}: about ${product.expectedSeconds} s\n`);
      ticker = setInterval(
        () => output.write(output.isTTY ? `\r${line()}` : `${line()}\n`),
        output.isTTY ? 1_000 : 30_000,
      );
      ticker.unref();
    },
    end(_product, seconds) {
      stop();
      output.write(
        `${output.isTTY ? '\r' : ''}${current}: built in ${Math.round(seconds)} s${output.isTTY ? '\u001b[K' : ''}\n`,
      );
    },
    say(text) {
      output.write(`${text}\n`);
    },
    [Symbol.dispose]: stop,
  };
}
