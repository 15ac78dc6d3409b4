type Kind = 'fixed' | 'parameter' | 'rest';

const rank: Readonly<Record<Kind, number>> = { fixed: 2, parameter: 1, rest: 0 };

const kindOf = (segment: string): Kind =>
  segment.startsWith('{*') ? 'rest' : segment.startsWith('{') ? 'parameter' : 'fixed';

/**
 * True when a request exists that both templates match and neither is the narrower one: the table would still choose, but the
 * server may choose otherwise. Where one is narrower segment by segment, both choose it.
 */
export function isAmbiguous(one: string, other: string): boolean {
  const [left, right] = [one.slice(1).split('/'), other.slice(1).split('/')];
  const narrower = new Set<number>();
  for (let at = 0; ; at += 1) {
    const [mine, theirs] = [left[at], right[at]];
    if (mine === undefined || theirs === undefined) return mine === theirs && narrower.size !== 1;
    if (!canMeet(mine, theirs)) return false;
    const [kind, against] = [kindOf(mine), kindOf(theirs)];
    if (kind !== against) narrower.add(Math.sign(rank[kind] - rank[against]));
    if (kind === 'rest' || against === 'rest') return narrower.size !== 1;
  }
}

/** Some segment fits both; the rest and a parameter take any that is not empty. */
function canMeet(mine: string, theirs: string): boolean {
  const [kind, against] = [kindOf(mine), kindOf(theirs)];
  if (kind === 'fixed' && against === 'fixed') return mine === theirs;
  return (kind === 'fixed' ? mine : theirs) !== '' || (kind !== 'fixed' && against !== 'fixed');
}
