/** What the commands need of the outside. */
export interface CliPorts {
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Results: what a script may read. */
  readonly stdout: NodeJS.WriteStream;
  /** Progress and errors: for people. */
  readonly stderr: NodeJS.WriteStream;
  /** Aborted when the user asks to stop. */
  readonly signal: AbortSignal;
  setExitCode(code: number): void;
}
