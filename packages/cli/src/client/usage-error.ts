/** What was typed cannot be meant: the command says so and ends with `exitCodes.usage`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
