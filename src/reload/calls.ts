import type { LoadedConfig } from '../config/config.js';
import { createForwardCall, type ForwardContext, type GrpcUpstream } from '../forward/forward.js';
import type { Generation } from '../gateway/gateway.js';
import type { CallGeneration } from '../grpc/grpc.js';
import { createResolveCall } from '../resolve/resolve.js';
import { callFacts, type FactsOf, type Observing } from './observe.js';
import type { Sources } from './sources.js';

/** What gRPC needs beside the rest, for as long as the process. */
export interface CallParts {
  readonly upstream: GrpcUpstream;
  /** Those of the start: they hold where a reload leaves the section out, which takes effect after a restart. */
  readonly settings: NonNullable<LoadedConfig['config']['grpc']>;
}

/** What calls and requests keep to alike on their way on. */
export type CallRules = Omit<ForwardContext, 'upstream' | 'holding' | 'tunnel'>;

interface Building {
  readonly sources: Sources;
  readonly law: Omit<CallGeneration, 'stages' | 'maxMessageBytes'>;
  readonly stages: Generation['stages'];
  readonly isKnownSpace: (name: string) => boolean;
  readonly observing: (factsOf: FactsOf) => Pick<Observing, 'observes'>;
  readonly rules: CallRules;
}

/** The stages of a call: those of a request, but for the message and the way on. */
export function buildCalls({ upstream, settings }: CallParts, building: Building): CallGeneration {
  const { sources, law, stages, isKnownSpace, observing, rules } = building;
  const { config } = sources.loaded;
  const { max_message_bytes: maxMessageBytes } = config.grpc ?? settings;
  const resolve = createResolveCall({ profile: sources.profile, isKnownSpace, maxMessageBytes });
  return {
    ...law,
    observes: observing(callFacts(resolve)).observes,
    stages: {
      ...stages,
      resolve,
      forward: createForwardCall({ ...rules, upstream, headersTimeoutMs: config.upstream.headers_timeout_ms }),
    },
    maxMessageBytes,
  };
}
