import { ToolError, type Finding } from '@drydock/core';

const maxFindings = 200;
/** Of all findings as JSON: a result may not be larger than what the gateway takes. */
const maxBytes = 4 << 20;

/** The findings of one attempt, one for each identity: the same claim about the same code is one claim. */
export class FindingLog {
  readonly #byIdentity = new Map<string, Finding>();
  #bytes = 0;

  /** In the order they were reported. */
  get findings(): readonly Finding[] {
    return [...this.#byIdentity.values()];
  }

  /** Throws `ToolError` for a claim that is there already, and for one too many. */
  add(identity: string, finding: Finding): void {
    const known = this.#byIdentity.get(identity);
    if (known !== undefined) {
      throw new ToolError('tool.refused', `Not recorded: this code already has a ${known.category} finding.`);
    }
    if (this.#byIdentity.size >= maxFindings) {
      throw new ToolError('tool.refused', `Not recorded: ${maxFindings} findings are too many. Finish the review.`);
    }
    const bytes = Buffer.byteLength(JSON.stringify(finding));
    if (this.#bytes + bytes > maxBytes) {
      throw new ToolError('tool.refused', 'Not recorded: the findings together are too long. Finish the review.');
    }
    this.#bytes += bytes;
    this.#byIdentity.set(identity, finding);
  }
}
