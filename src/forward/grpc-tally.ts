import type { Code } from '../model/codes.js';
import type { Outcome } from '../model/trail.js';

/** What went to and fro in a call. */
export class Tally {
  status = 0;
  sentBytes = 0;
  answeredBytes = 0;
  upstreamMs: number | null = null;
  isForwarded = false;

  outcome(endedBy: Outcome['endedBy'], code: Code | null): Outcome {
    return {
      status: this.status,
      endedBy,
      notForwarded: this.isForwarded ? null : (code ?? 'client.left'),
      code,
      requestBytes: this.sentBytes,
      responseBytes: this.answeredBytes,
      upstreamMs: this.upstreamMs,
    };
  }
}
