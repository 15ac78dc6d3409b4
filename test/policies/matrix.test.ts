import t from 'tap';
import { matrixOf, permissionActions, roleCallers, type MatrixCaller } from '../../src/review/review.js';
import { loaded, shipped } from '../authorize/fixtures/stage.js';

/*
 * The access matrix that is promised: written by hand from the requirements (S8: admin, writer, reader × read, write, delete, admin; E5: what
 * everybody has; E6: roles are sets of permissions), and asked of the shipped policy cell by cell. Administration does not
 * bring content: who needs both has both roles.
 */

const read = ['MemoryRead'];
const write = ['MemoryWrite'];
const remove = ['MemoryDelete'];
const admin = [
  'AdminKeyManagement',
  'AdminConfig',
  'AdminPolicy',
  'AdminAudit',
  'AdminCredentials',
  'AdminIncident',
  'AdminUpstream',
];
const everybody = ['SystemHealth', 'SystemMetrics'];
const elsewhere = ['SpaceCreate', 'SpaceDelete', 'SpaceList', 'SystemShutdown'];

const wanted: Readonly<Record<string, readonly string[]>> = {
  '(none)': [...everybody],
  reader: [...everybody, ...read],
  writer: [...everybody, ...read, ...write, ...remove],
  admin: [...everybody, ...admin],
  'space-manager': [...everybody, 'SpaceList', 'SpaceCreate', 'SpaceDelete'],
  operator: [...everybody, 'SystemShutdown', 'AdminUpstream', 'AdminConfig'],
  auditor: [...everybody, 'AdminAudit'],
};

const writer: MatrixCaller['caller'] = {
  kind: 'api_key',
  id: 'k1',
  owner: null,
  roles: ['writer'],
  permissions: [],
  spaces: [],
  tier: null,
  expiresAtMs: null,
};
const policy = await loaded(shipped);
const actions = permissionActions();
const ask = { actions, spaces: ['alpha'], nowMs: 1_790_000_000_000, readonly: false };

t.test('the matrix of the shipped policy is the promised one', async (t) => {
  const matrix = matrixOf(policy, { ...ask, callers: roleCallers(policy.roleNames) });
  t.strictSame([...matrix.callers].sort(), Object.keys(wanted).sort(), 'every role, and nobody in particular');
  t.strictSame(
    [...matrix.actions].sort(),
    [...read, ...write, ...remove, ...admin, ...everybody, ...elsewhere].sort(),
    'every permission',
  );
  for (const { caller, action, allow, reasons } of matrix.cells) {
    const isWanted = wanted[caller]?.includes(action) === true;
    t.equal(allow, isWanted, `${caller} × ${action}`);
    t.strictSame(reasons, isWanted ? [] : ['permission.missing'], `${caller} × ${action}: why`);
  }
});

t.test('who administers and writes has both roles', async (t) => {
  const both: MatrixCaller = {
    name: 'admin and writer',
    spaces: 'asked',
    caller: { ...writer, roles: ['admin', 'writer'] },
  };
  const allowed = matrixOf(policy, { ...ask, callers: [both] }).cells.filter(({ allow }) => allow);
  t.strictSame(
    allowed.map(({ action }) => action).sort(),
    [...everybody, ...read, ...write, ...remove, ...admin].sort(),
  );
});

t.test('a right holds in the own spaces alone, and all of them need *', async (t) => {
  const key = (spaces: readonly string[]): MatrixCaller => ({
    name: spaces.join(),
    spaces: 'own',
    caller: { ...writer, spaces },
  });
  const { cells } = matrixOf(policy, {
    ...ask,
    actions: actions.filter(({ name }) => name === 'MemoryWrite'),
    spaces: ['alpha', 'beta', '*'],
    callers: [key(['alpha']), key(['alpha', 'beta']), key(['*'])],
  });
  t.strictSame(
    cells.filter(({ allow }) => allow).map(({ caller, space }) => `${caller}→${space ?? ''}`),
    ['alpha→alpha', 'alpha,beta→alpha', 'alpha,beta→beta', '*→alpha', '*→beta', '*→*'],
  );
});
