import { z } from 'zod';
import { diskFiles } from '../base/files.js';
import { replaceFile } from '../base/replace-file.js';
import { no, ok, type Result } from '../base/result.js';

/** The bundle that was taken into use last. */
export interface Accepted {
  readonly serial: number;
  /** Digest of all its files. */
  readonly content: string;
  readonly revision: string;
}

/** Remembers how far the serials have come. */
export interface SerialBook {
  /** Null when there was none yet. The text says why it cannot be known. */
  last(): Promise<Result<Accepted | null, string>>;
  /** Returns when it is on the disk. */
  keep(accepted: Accepted): Promise<void>;
}

const bytesMax = 4_096;
const schema = z.strictObject({
  serial: z.int().min(1),
  content: z.string().regex(/^[0-9a-f]{64}$/),
  revision: z.string().min(1).max(128),
});

/** In a file, for as long as that lasts. A file that is there and cannot be understood is no fresh start. */
export function fileSerials(file: string): SerialBook {
  return {
    last: async () => {
      const read = await diskFiles.bytes(file, bytesMax);
      if (!read.ok) return read.why === 'does not exist' ? ok(null) : no(`${file} ${read.why}`);
      const accepted = acceptedIn(read.value.toString('utf8'));
      return accepted === null ? no(`${file} ${damaged}`) : ok(accepted);
    },
    keep: (accepted) => replaceFile(file, `${JSON.stringify(accepted)}\n`, 0o600),
  };
}

const damaged =
  'is damaged, and without it an older policy could not be told from a newer one: restore it, or remove it and set policy.verification.min_serial to the last serial';

function acceptedIn(text: string): Accepted | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** In this process alone, where the disk does not last: `min_serial` of the configuration says how far it was at the start. */
export function memorySerials(): SerialBook {
  let kept: Accepted | null = null;
  return {
    last: () => Promise.resolve(ok(kept)),
    keep: (accepted) => {
      kept = accepted;
      return Promise.resolve();
    },
  };
}
