import { canonicalForm } from './compile.js';
import type { ProfileData } from './profile-schema.js';

type Tell = (path: readonly (string | number)[], message: string) => void;

/** What the schema cannot say of gRPC methods. */
export function grpcProblems({ grpc, routes, space }: ProfileData, tell: Tell): void {
  const isCanonical = canonicalForm(space.pattern);
  const ids = new Set(routes.map(({ id }) => id));
  const methods = new Set<string>();
  grpc.forEach((one, index) => {
    if (ids.has(one.id)) tell(['grpc', index, 'id'], `"${one.id}" is the id of another route or method too`);
    ids.add(one.id);
    if (methods.has(one.method)) tell(['grpc', index, 'method'], `"${one.method}" stands here a second time`);
    methods.add(one.method);
    const { space: rule } = one;
    if (typeof rule === 'object' && 'fixed' in rule && !isCanonical(rule.fixed))
      tell(['grpc', index, 'space', 'fixed'], `is "${rule.fixed}", must match space.pattern ${space.pattern}`);
    if (!Array.isArray(rule)) return;
    const absence = one.absent ?? space.absent;
    if (absence === 'default' && space.default === undefined)
      tell(['grpc', index, 'absent'], 'default needs space.default');
    if (absence === 'own') tell(['grpc', index, 'absent'], 'own cannot be told to a gRPC server: choose another');
  });
}
