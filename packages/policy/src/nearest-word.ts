/** The known word with the fewest edits, if there are few enough to be a slip. Case, `-`, `_` and spaces do not count. */
export function nearestWord(word: string, known: readonly string[]): string | null {
  if (word.length > 64) return null;
  const ranked = known
    .map((name) => ({ name, edits: editDistance(plain(word), plain(name)) }))
    .sort((left, right) => left.edits - right.edits);
  const best = ranked[0];
  if (best === undefined || best.edits > Math.max(1, Math.floor(best.name.length / 3))) return null;
  return best.edits < word.length ? best.name : null;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}

/** Optimal string alignment: Levenshtein's distance in which two swapped neighbours are one edit. */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const swap = (last[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      let edits = Math.min(swap, (last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      const isSwapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (row > 1 && column > 1 && isSwapped) edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
      current.push(edits);
    }
    [beforeLast, last] = [last, current];
  }
  return last[right.length] ?? 0;
}
