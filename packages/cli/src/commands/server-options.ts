import { Option, type Command } from 'commander';

/** Options of every command that asks the server. */
export function addServerOptions(command: Command): Command {
  return command
    .option('--server <url>', 'where the server is (DRYDOCK_SERVER_URL; default: http://127.0.0.1:8080)')
    .option('--token-file <file>', 'file with the token (DRYDOCK_TOKEN_FILE, or the token itself in DRYDOCK_TOKEN)')
    .option('--timeout <seconds>', 'how long an answer may take (default: 10)');
}

/** `-o`. */
export function outputOption(formats: readonly string[], standard: string): Option {
  return new Option('-o, --output <format>', 'form of the output').choices(formats).default(standard);
}

/** What the help of each of these commands ends with. */
export const exitCodeHelp = `
Exit codes: 0 done, 1 failed (the server does not answer, or refuses), 2 usage, 5 what was named is not there,
78 a setting is wrong or missing.`;
