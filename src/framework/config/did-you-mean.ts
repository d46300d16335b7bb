/** The one of `names` that `name` is most likely a slip of; `undefined` when none is near. */
export function didYouMean(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  // One slip per three letters, at least one: more suggests what nobody meant.
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/**
 * The number of letters to insert, delete, replace or swap with their neighbour ("optimal string alignment").
 *
 * @see https://en.wikipedia.org/w/index.php?title=Damerau%E2%80%93Levenshtein_distance&oldid=1208863160
 */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const present = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      let distance = Math.min(
        (above[column] as number) + 1,
        (present[column - 1] as number) + 1,
        (above[column - 1] as number) + cost,
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        distance = Math.min(distance, (before[column - 2] as number) + 1);
      }
      present[column] = distance;
    }
    before = above;
    above = present;
  }
  return above[b.length] as number;
}
