const quote = 0x22;
const backslash = 0x5c;

/** Whether JSON text nests deeper than `limit`, told without parsing it. Malformed text gives any answer. */
export function isNestedDeeperThan(json: string, limit: number): boolean {
  let depth = 0;
  let at = 0;
  while (at < json.length) {
    const unit = json.charCodeAt(at);
    if (unit === quote) at = endOfString(json, at);
    else if (unit === 0x7b || unit === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (unit === 0x7d || unit === 0x5d) depth -= 1;
    at += 1;
  }
  return false;
}

/** The offset of the closing quote: the next one with an even number of backslashes before it. */
function endOfString(json: string, open: number): number {
  let close = json.indexOf('"', open + 1);
  while (close !== -1) {
    let before = close - 1;
    while (json.charCodeAt(before) === backslash) before -= 1;
    if ((close - before) % 2 === 1) return close;
    close = json.indexOf('"', close + 1);
  }
  return json.length;
}
