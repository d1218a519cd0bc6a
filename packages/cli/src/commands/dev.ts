import type { Command } from 'commander';
import type { CliPorts } from '../cli-ports.ts';

const examples = `
Settings come from the environment; "make dev" reads them from .env (see .env.example).
docs/guide/first-review.md takes you from nothing to the first review.

Examples:
  drydock dev                                    server, scheduler and gateway in one process
  DRYDOCK_SERVER_PORT=9000 drydock dev           webhooks on another port`;

/** `drydock dev`. */
export function addDevCommand(program: Command, ports: CliPorts): void {
  program
    .command('dev')
    .description('Run Drydock on this machine against your GitLab')
    .addHelpText('after', examples)
    .action(async () => {
      // Only here: to load it all takes a second, which --help should not.
      const [{ readConfig }, { StandaloneConfig, runDev }] = await Promise.all([
        import('@drydock/core'),
        import('@drydock/standalone'),
      ]);
      const config = readConfig(StandaloneConfig, ports.environment);
      await runDev(config, { out: ports.stdout, version: ports.version, signal: ports.signal });
    });
}
