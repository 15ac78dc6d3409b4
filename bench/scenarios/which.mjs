// Which variants a scenario is for.
const isMemgate = ({ procs }) => procs.some(({ role }) => role === 'memgate');

/** Those that decide with a key, whoever they are. */
export const isProxy = ({ checks }) => checks === 'proxy';
/** memgate with the policy of peers/, where it enforces. */
export const isDeciding = (variant) => isMemgate(variant) && isProxy(variant);
/** The same, or memgate that observes. */
export const isOurs = isMemgate;
