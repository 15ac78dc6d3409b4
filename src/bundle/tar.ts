import { BadBundle } from './bad-bundle.js';

const blockBytes = 512;
const membersMax = 1_000;
const fields = {
  name: [0, 100],
  mode: [100, 108],
  uid: [108, 116],
  gid: [116, 124],
  size: [124, 136],
  mtime: [136, 148],
  checksum: [148, 156],
  link: [157, 257],
  magic: [257, 263],
  prefix: [345, 500],
} as const;
const typeAt = 156;
const types: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '5': 'a directory',
  '6': 'a pipe',
  x: 'an extended header',
  g: 'an extended header',
};

/**
 * Reads an archive of plain files into memory, by name without a leading slash. Only the form that `opa build` writes is read: whatever
 * gives a second meaning to a name, a size or a place (links, extended headers, binary sizes, bytes behind a NUL) is refused.
 *
 * @see POSIX.1-2017, pax, "ustar Interchange Format"
 */
export function readTar(tar: Buffer): Map<string, Buffer> {
  const members = new Map<string, Buffer>();
  let at = 0;
  while (!isEnd(tar, at)) {
    const head = tar.subarray(at, at + blockBytes);
    checkSum(head);
    const name = memberName(rawName(head));
    checkType(head, name);
    const size = octal(head, 'size');
    const from = at + blockBytes;
    if (from + size > tar.length) throw new BadBundle('cannot be unpacked: the archive is truncated');
    if (members.has(name)) throw new BadBundle(`holds member "${name}" twice`);
    if (members.size === membersMax) throw new BadBundle(`has over ${String(membersMax)} members`);
    members.set(name, tar.subarray(from, from + size));
    at = from + Math.ceil(size / blockBytes) * blockBytes;
  }
  return members;
}

/** Two blocks of zeros, and nothing but zeros from there on. */
function isEnd(tar: Buffer, at: number): boolean {
  if (at + 2 * blockBytes > tar.length) throw new BadBundle('cannot be unpacked: the archive is truncated');
  if (tar[at] !== 0) return false;
  if (tar.subarray(at).some((byte) => byte !== 0))
    throw new BadBundle('cannot be unpacked: something follows the end of the archive');
  return true;
}

const field = (head: Buffer, name: keyof typeof fields): Buffer => head.subarray(...fields[name]);

/** Text up to the first NUL. What a lenient reader would find behind that NUL does not exist. */
function text(head: Buffer, name: keyof typeof fields): string {
  const bytes = field(head, name);
  const end = bytes.indexOf(0);
  if (end < 0) return bytes.toString('latin1');
  if (bytes.subarray(end).some((byte) => byte !== 0))
    throw new BadBundle('cannot be unpacked: a header holds something behind a NUL');
  return bytes.toString('latin1', 0, end);
}

function octal(head: Buffer, name: 'size' | 'checksum'): number {
  const digits = field(head, name)
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]{1,11}$/.test(digits)) throw new BadBundle(`cannot be unpacked: a ${name} is not a plain octal number`);
  return Number.parseInt(digits, 8);
}

function checkSum(head: Buffer): void {
  const [from, to] = fields.checksum;
  let sum = 0;
  head.forEach((byte, at) => (sum += at >= from && at < to ? 0x20 : byte));
  if (sum !== octal(head, 'checksum'))
    throw new BadBundle('cannot be unpacked: it is not a tar archive, or was damaged');
  if (!['ustar\0', 'ustar '].includes(field(head, 'magic').toString('latin1')))
    throw new BadBundle('cannot be unpacked: a header is not in the ustar form');
}

function checkType(head: Buffer, name: string): void {
  const type = String.fromCharCode(head[typeAt] ?? 0);
  if (type !== '0' && type !== '\0') {
    throw new BadBundle(`member "${name}" is not a regular file but ${types[type] ?? 'something unknown'}`);
  }
  if (text(head, 'link') !== '') throw new BadBundle(`member "${name}" is not a regular file: it names another one`);
}

function rawName(head: Buffer): string {
  const prefix = field(head, 'magic').toString('latin1') === 'ustar\0' ? text(head, 'prefix') : '';
  return prefix === '' ? text(head, 'name') : `${prefix}/${text(head, 'name')}`;
}

// `opa build` writes names with one leading slash; every other unusual spelling is refused.
function memberName(raw: string): string {
  const name = raw.startsWith('/') ? raw.slice(1) : raw;
  const isPlain = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/.test(name);
  if (!isPlain || name.split('/').some((part) => part === '.' || part === '..')) {
    throw new BadBundle('holds a member whose name is not a plain relative path');
  }
  return name;
}

/** The same files give the same bytes: no time, no owner. Names get the leading slash that `opa build` writes. */
export function writeTar(members: ReadonlyMap<string, Uint8Array>): Buffer {
  const blocks: Uint8Array[] = [];
  for (const [name, bytes] of members) {
    blocks.push(headOf(`/${name}`, bytes.length), bytes, Buffer.alloc(-bytes.length & (blockBytes - 1)));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function headOf(name: string, size: number): Buffer {
  const head = Buffer.alloc(blockBytes);
  const put = (at: keyof typeof fields, value: string): void => void head.write(value, fields[at][0], 'latin1');
  const cut = name.length <= 100 ? 0 : name.indexOf('/', name.length - 101);
  if (cut < 0 || cut > 155) throw new BadBundle(`member "${name}" has a name that is too long for the archive`);
  put('name', cut === 0 ? name : name.slice(cut + 1));
  put('prefix', cut === 0 ? '' : name.slice(0, cut));
  put('mode', '0000600\0');
  put('uid', '0000000\0');
  put('gid', '0000000\0');
  put('size', `${size.toString(8).padStart(11, '0')}\0`);
  put('mtime', '00000000000\0');
  put('checksum', '        ');
  put('magic', 'ustar\x0000'); // the version follows
  head.write('0', typeAt, 'latin1');
  const sum = head.reduce((total, byte) => total + byte, 0);
  put('checksum', `${sum.toString(8).padStart(6, '0')}\0 `);
  return head;
}
