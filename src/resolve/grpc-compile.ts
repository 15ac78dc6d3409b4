import type { FieldTree } from '../base/protobuf.js';
import type { RouteFacts } from '../model/target.js';
import type { Profile } from './compile.js';
import { readTree, type GrpcMethodData } from './grpc-schema.js';

export interface CompiledMethod {
  readonly data: GrpcMethodData;
  /** One object for all calls of the method. */
  readonly facts: RouteFacts;
  readonly fields: FieldTree;
  /** Path of the field that the server obeys; null where it obeys none. */
  readonly obeyed: string | null;
  /** Paths that must agree with it. */
  readonly compared: readonly string[];
  readonly fixed: string | null;
}

/** The methods of a profile, by the path of their calls. */
export const compileMethods = ({ data }: Profile): ReadonlyMap<string, CompiledMethod> =>
  new Map(data.grpc.map((method) => [`/${method.method}`, compileMethod(method)]));

function compileMethod(data: GrpcMethodData): CompiledMethod {
  const { id, action, permission, class: dataClass, space } = data;
  const [obeyed = null, ...compared] = Array.isArray(space) ? space : [];
  return {
    data,
    facts: { id, action, permission, class: dataClass, stream: null },
    fields: readTree(data),
    obeyed,
    compared,
    fixed: typeof space === 'object' && 'fixed' in space ? space.fixed : null,
  };
}
