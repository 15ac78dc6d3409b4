import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
}
interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly restartPolicy?: string;
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean; readonly allowPrivilegeEscalation: boolean };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Pod {
  readonly spec: {
    readonly terminationGracePeriodSeconds: number;
    readonly securityContext: { readonly runAsNonRoot: boolean };
    readonly initContainers: readonly Container[];
    readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
  };
}

const [configMap, pod] = parseAllDocuments(readFileSync('deploy/kubernetes/example-pod.yaml', 'utf8')).map(
  (document) => document.toJS() as unknown,
) as [{ readonly data: { readonly 'memgate.yaml': string } }, Pod];
const dockerfile = readFileSync('deploy/Dockerfile', 'utf8');
const instruction = (name: string): string[] =>
  JSON.parse(new RegExp(`^${name} (\\[.*\\])$`, 'm').exec(dockerfile)?.[1] ?? '[]') as string[];
const sidecar = pod.spec.initContainers.find(({ name }) => name === 'memgate');

/** What each ConfigMap of the pod is made from, as the file's first comment says. */
const contents: Readonly<Record<string, string>> = {
  'memgate-profiles': 'config/profiles',
  'memgate-keys': 'config/keys',
  'memgate-policy': 'policies/dist',
};

t.test('the pod runs memgate as a native sidecar with little to lose', async (t) => {
  t.equal(sidecar?.restartPolicy, 'Always');
  t.equal(sidecar?.securityContext.readOnlyRootFilesystem, true);
  t.equal(sidecar?.securityContext.allowPrivilegeEscalation, false);
  t.equal(pod.spec.securityContext.runAsNonRoot, true);
  t.equal(sidecar?.startupProbe.httpGet.path, '/health');
  t.equal(sidecar?.livenessProbe.httpGet.path, '/health');
  t.equal(sidecar?.readinessProbe.httpGet.path, '/ready');
  t.ok(pod.spec.terminationGracePeriodSeconds > 10, 'longer than drain_ms');
  t.match(dockerfile, /^USER 65532/m);
  t.match(dockerfile, /npm ci --omit=dev/);
  t.strictSame(instruction('CMD'), sidecar?.args, 'the image runs the same by default');
});

t.test("the sidecar's exact command starts with the mounted files", async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'memgate-pod-')); // short: the path of a socket is
  t.teardown(() => {
    rmSync(root, { recursive: true, force: true });
  });
  for (const { name, mountPath } of sidecar?.volumeMounts ?? []) {
    const volume = pod.spec.volumes.find((one) => one.name === name);
    const source = contents[volume?.configMap?.name ?? ''];
    mkdirSync(join(root, mountPath), { recursive: true });
    if (source !== undefined) cpSync(source, join(root, mountPath), { recursive: true });
  }
  symlinkSync(resolve('.'), join(root, 'app'));
  // A container's paths begin at its own root, and its ports are its own.
  const config = configMap.data['memgate.yaml']
    .replace('/var/lib/memgate', join(root, '/var/lib/memgate'))
    .replace('127.0.0.1:7432', '127.0.0.1:9') // where nothing listens, whatever else this machine runs
    .replace(/^audit:$/m, 'audit:\n  allow_tmpfs: true')
    .replaceAll(/(listen: '?[^\s']*):\d+/g, '$1:0');
  writeFileSync(join(root, '/etc/memgate/config/memgate.yaml'), config);
  const [command = '', ...args] = [...instruction('ENTRYPOINT'), ...(sidecar?.args ?? [])].map((part) =>
    part.startsWith('/') ? join(root, part) : part,
  );
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let started: { readonly gateway: string; readonly probes: string } | null = null;
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    if (!line.startsWith('{')) continue; // what is in the way of a start is said in plain text
    const entry = JSON.parse(line) as { msg: string; gateway: string; probes: string };
    if (entry.msg === 'started') {
      started = entry;
      break;
    }
  }
  if (started === null) throw new Error(`it did not start: ${lines.join('\n')}`);
  t.equal((await fetch(`${started.probes}/health`)).status, 200);
  t.equal((await fetch(`${started.probes}/ready`)).status, 503, 'no memory server behind it');
  t.equal((await fetch(`${started.gateway}/api/v1/memories`)).status, 401);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  t.equal(await ended, 0);
});

t.test('the network policy lets in what memgate listens on for others, and no port of the memory server', async (t) => {
  const [policy] = parseAllDocuments(readFileSync('deploy/kubernetes/network-policy.yaml', 'utf8')).map((document) =>
    document.toJS(),
  ) as [
    {
      spec: {
        podSelector: { matchLabels: Record<string, string> };
        policyTypes: string[];
        ingress: { ports: { port: number }[] }[];
      };
    },
  ];
  const config = parse(configMap.data['memgate.yaml']) as {
    gateway: { listen: string };
    probes: { listen: string };
    side_doors: { accepted_ports: number[] };
  };
  const profile = parse(readFileSync('config/profiles/engram.yaml', 'utf8')) as { side_doors: { port: number }[] };
  const portOf = (listen: string): number => Number(listen.slice(listen.lastIndexOf(':') + 1));
  const open = policy.spec.ingress.flatMap(({ ports }) => ports.map(({ port }) => port));
  t.strictSame(policy.spec.policyTypes, ['Ingress']);
  t.strictSame(open.sort(), [portOf(config.gateway.listen), portOf(config.probes.listen)].sort());
  t.strictSame(
    policy.spec.podSelector.matchLabels,
    (pod as unknown as { metadata: { labels: object } }).metadata.labels,
  );
  t.strictSame(
    config.side_doors.accepted_ports,
    profile.side_doors.map(({ port }) => port),
    'what is accepted is what it shuts',
  );
});
