/** What the commands need of the outside. */
export interface CliPorts {
  readonly version: string;
  /** The folder that the command was called in: names of files are relative to it. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Opened by who reads it. */
  readonly stdin: () => NodeJS.ReadStream;
  /** Results: what a script may read. */
  readonly stdout: NodeJS.WriteStream;
  /** Progress and errors: for people. */
  readonly stderr: NodeJS.WriteStream;
  /** Aborted when the user asks to stop. */
  readonly signal: AbortSignal;
  setExitCode(code: number): void;
}
