import { DrydockError } from '@drydock/core';
import type { CliPorts } from '../cli-ports.ts';
import { readClientSettings, type ClientFlags } from '../client/client-settings.ts';
import { ControlClient } from '../client/control-client.ts';
import { UsageError } from '../client/usage-error.ts';
import { exitCodes } from '../exit-codes.ts';

/** What a command does once it has looked at what was typed; the exit code. */
export type ServerAct = (client: ControlClient) => Promise<number>;

/**
 * Runs a command on the server. `prepare` reads what was typed and throws `UsageError` before any setting is looked at;
 * what it returns is done with a client that is closed in the end.
 */
export async function runOnServer(
  command: string,
  prepare: () => ServerAct,
  flags: ClientFlags,
  ports: CliPorts,
): Promise<void> {
  try {
    const act = prepare();
    const client = await ControlClient.create(await readClientSettings(flags, ports), ports.signal);
    try {
      ports.setExitCode(await act(client));
    } catch (error) {
      if (!(error instanceof DrydockError) || error.code !== 'request.not_found') throw error;
      ports.stderr.write(`${error.message}\n`);
      ports.setExitCode(exitCodes.notFound);
    } finally {
      await client.close();
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    ports.stderr.write(`error: ${error.message}\n(drydock ${command} --help tells more)\n`);
    ports.setExitCode(exitCodes.usage);
  }
}
