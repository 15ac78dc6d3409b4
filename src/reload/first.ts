import { describeProblem } from '../base/problem.js';
import { no, type Result } from '../base/result.js';
import { restartFields, type Config } from '../config/config.js';
import type { Keeper } from '../origin/origin.js';
import type { Promotions } from './promotion.js';
import { asTheyAre } from './reading.js';
import { readSources, type SourceContext, type Sources } from './sources.js';

interface Beginning {
  readonly keeper: Keeper;
  readonly promotions: Promotions;
  readonly config: Config;
  readonly dir: string;
}

/** What a process begins with: the files as they are, or what was gone back to before it ended. */
export async function firstSources(
  context: SourceContext,
  { keeper, promotions, config, dir }: Beginning,
): Promise<Result<Sources, readonly string[]>> {
  const rollback = keeper.rollback();
  const content = rollback === null ? null : await keeper.read(rollback.id);
  const wayOut = `a rollback to ${rollback?.to ?? ''} is in force; move ${dir} away to start with the files as they are`;
  if (content?.ok === false) return no([content.why, wayOut]);
  const promotion = promotions.current();
  const read = await readSources(
    context,
    content === null ? { ...asTheyAre, promotion } : { content: content.value, held: null },
  );
  if (!read.ok) return no([...read.why.map(describeProblem), ...(content === null ? [] : [wayOut])]);
  const fields = restartFields(config, read.value.loaded.config);
  if (content === null || fields.length === 0) return read;
  return no([...fields.map((field) => `${field}: is not what it was in the kept configuration`), wayOut]);
}
