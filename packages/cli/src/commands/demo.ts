import type { Command } from 'commander';
import { exitCodes } from '../exit-codes.ts';
import type { CliPorts } from '../cli-ports.ts';

const examples = `
Examples:
  drydock demo                                   watch a review, from the webhook to the comments
  drydock demo --json                            the same as one JSON object, for scripts
  ANTHROPIC_API_KEY=… drydock demo               a Claude model reviews (this costs a few cents)
  DRYDOCK_MODEL_URL=http://localhost:11434 \\
    DRYDOCK_MODEL=qwen3-coder drydock demo       any server with a Messages endpoint reviews
  DRYDOCK_REDIS_URL=redis://localhost drydock demo
                                                 the queue lives in that Redis`;

/** `drydock demo`. */
export function addDemoCommand(program: Command, ports: CliPorts): void {
  program
    .command('demo')
    .description('Show a review from webhook to comments, with nothing to set up')
    .option('--json', 'print one JSON object instead of the story')
    .addHelpText('after', examples)
    .action(async (options: { json?: boolean }) => {
      const asJson = options.json === true;
      // Only here: to load it all takes a second, which --help should not.
      const [{ readConfig }, { DemoConfig, runDemo }] = await Promise.all([
        import('@drydock/core'),
        import('@drydock/standalone'),
      ]);
      const config = readConfig(DemoConfig, ports.environment);
      const report = await runDemo(config, {
        // The story is for people: with --json it is not told, so that nothing but the object is printed.
        story: asJson ? null : ports.stdout,
        signal: ports.signal,
        log: ports.stderr,
      });
      if (asJson) ports.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      ports.setExitCode(report.problems.length === 0 ? exitCodes.ok : exitCodes.failed);
    });
}
