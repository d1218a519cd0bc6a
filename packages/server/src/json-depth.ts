const quote = 0x22;
const backslash = 0x5c;

/** Whether JSON text nests deeper than `limit`, told from its bytes without parsing it. Malformed text gives any answer. */
export function isNestedDeeperThan(json: Buffer, limit: number): boolean {
  let depth = 0;
  let at = 0;
  while (at < json.length) {
    const byte = json[at];
    if (byte === quote) at = endOfString(json, at);
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    at += 1;
  }
  return false;
}

/** The offset of the closing quote: the next one with an even number of backslashes before it. */
function endOfString(json: Buffer, open: number): number {
  let close = json.indexOf(quote, open + 1);
  while (close !== -1) {
    let before = close - 1;
    while (json[before] === backslash) before -= 1;
    if ((close - before) % 2 === 1) return close;
    close = json.indexOf(quote, close + 1);
  }
  return json.length;
}
