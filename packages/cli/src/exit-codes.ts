/** What the command's exit status tells. Stable: scripts depend on it. */
export const exitCodes = {
  ok: 0,
  /** It ran, and did not come to the wanted end. */
  failed: 1,
  /** Wrong flags or arguments. */
  usage: 2,
  /** A setting is wrong or missing (EX_CONFIG of sysexits.h). */
  config: 78,
} as const;
