// What stands side by side: one entry per variant. README.md says what each one is, and in what they are not equal.
//   ports     how many; {{P0}} is the one that is asked
//   files     name in {{DIR}} → source in configs/
//   procs     what is started; {{NAME}} is filled in
//   needs     programs and files; without one of them the variant is told to be missing
//   prepare   before the files are written; gives further values
//   ready     once it runs; gives further values, such as AUTH
//   checks    proxy: passes on what is allowed and refuses what is not; open: passes on everything
//   copyOf    the second half of an A/A pair
import { memgateVariants } from './memgate/variants.mjs';

export default [...memgateVariants];
