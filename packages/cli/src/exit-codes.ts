/** What the command's exit status tells. Stable: scripts depend on it. */
export const exitCodes = {
  ok: 0,
  /** It ran, and did not come to the wanted end. */
  failed: 1,
  /** `review`: findings at or over the threshold. */
  findings: 1,
  /** Wrong flags or arguments. */
  usage: 2,
  /** `review`: there is no review, for another reason than money or settings. */
  notReviewed: 3,
  /** `review`: the budget was spent before the end. */
  overBudget: 4,
  /** What was named is not there. */
  notFound: 5,
  /** A setting is wrong or missing (EX_CONFIG of sysexits.h). */
  config: 78,
  /** Ended from outside: 128 and the number of the signal, this one being SIGINT's (Ctrl-C). */
  interrupted: 130,
} as const;
