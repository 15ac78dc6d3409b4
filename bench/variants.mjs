// Every variant: those of peers/, and ours. README.md tells their form.
import { ownVariants } from './own/variants.mjs';
import peers from './peers/variants.mjs';

const [memgate] = peers.filter(({ name }) => name === 'memgate');

export const allVariants = [...peers, ...ownVariants(memgate)];
