import type { Problem } from '../base/document.js';
import { no, ok, type Result } from '../base/result.js';
import { noVerification, readBundleFile, type Bundle } from '../bundle/bundle.js';
import { entrypoint } from '../model/decision.js';

/** What a bundle says about itself. Nothing of it is run, and no signature is verified. */
export interface BundleFacts {
  readonly revision: string;
  readonly serial: number | null;
  /** ISO time from which on it is not taken into use. */
  readonly not_after: string | null;
  /** Whether it carries a signature; `memgate policy verify` looks whose. */
  readonly signed: boolean;
  readonly entrypoint: string;
  /** Top-level names of the data, with the size of each as JSON. */
  readonly data: Readonly<Record<string, number>>;
  readonly members: Readonly<Record<string, number>>;
  /** Of all members together. */
  readonly bytes: number;
}

export async function inspectBundle(file: string): Promise<Result<BundleFacts, readonly Problem[]>> {
  const bundle = await readBundleFile(file, noVerification);
  return bundle.ok ? ok(factsOf(bundle.value)) : no(bundle.why);
}

function factsOf({ revision, serial, notAfterMs, isSigned, data, members }: Bundle): BundleFacts {
  const sizes = [...members].map(([name, bytes]): [string, number] => [name, bytes.length]);
  return {
    revision,
    serial,
    not_after: notAfterMs === null ? null : new Date(notAfterMs).toISOString(),
    signed: isSigned,
    entrypoint,
    data: Object.fromEntries(Object.entries(data).map(([name, part]) => [name, JSON.stringify(part).length])),
    members: Object.fromEntries(sizes),
    bytes: sizes.reduce((sum, [, size]) => sum + size, 0),
  };
}
