import { existsSync, readFileSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readdir, statfs, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { askApi, type ApiAccess } from './api-client.ts';
import { apiPort, dnsServiceAddress, type Layout, type NodeLayout } from './layout.ts';
import { createCgroups } from './node-cgroups.ts';
import { createNetwork } from './node-network.ts';
import {
  ciliumAgent,
  cniConfig,
  containerdConfig,
  containerdSocket,
  kubelet,
  kubeletConfig,
  kubeProxy,
} from './node-plan.ts';
import type { NodePulse } from './node-pulse.ts';
import { nodeScripts } from './node-scripts.ts';
import { startPart, type Part } from './parts.ts';
import { poll } from './poll.ts';
import type { NodeFiles, Programs } from './programs-of-machine.ts';
import { runOk } from './run.ts';

/** With what a node is started, and who is told of it. */
export interface NodeStart {
  readonly programs: Programs;
  readonly files: NodeFiles;
  readonly pulse: NodePulse;
  readonly signal: AbortSignal;
  readonly onPart: (part: Part) => void;
}

const overlayType = 0x794c7630;
const cniPlugins = '/usr/lib/cni';

/** Prepares all that does not need an API server: networks, cgroups, mounts, containerd with its images. */
export async function startMachine(layout: Layout, node: NodeLayout, start: NodeStart): Promise<readonly Part[]> {
  const { programs, files, signal, onPart } = start;
  const { folder } = layout;
  const { type } = await statfs(folder);
  const snapshotter = type === overlayType ? 'native' : 'overlayfs';
  await writeFile(
    join(folder, 'containerd.toml'),
    containerdConfig(layout, { runc: programs.path('runc'), snapshotter }),
  );
  await writeFile(join(folder, 'kubelet.json'), kubeletConfig(layout, node, start.pulse));
  await writeFile(join(folder, 'resolv.conf'), '');
  await createCni(layout, programs);
  await copyFile(files.pause, join(folder, 'pause'));
  await chmod(join(folder, 'pause'), 0o755);
  const anchor = startPart(layout, 'node', { program: join(folder, 'make-node'), args: [] }, [
    join(folder, 'enter-network'),
    ...['unshare', '--mount', '--propagation', 'private'],
  ]);
  onPart(anchor);
  await poll(() => isThere(anchor, join(folder, 'node.pid')), {
    what: 'the mounts of the node',
    timeoutMs: 10_000,
    everyMs: 10,
    signal,
  });
  const containerd = startContainerd(layout, programs);
  onPart(containerd);
  await poll(() => isThere(containerd, containerdSocket(layout)), {
    what: 'containerd answers',
    timeoutMs: 30_000,
    everyMs: 20,
    signal,
  });
  for (const image of files.images) await importImage(layout, programs, image, signal);
  return [anchor, containerd];
}

/** Networks and cgroups, which everything else is started in. */
export async function createPlace(layout: Layout, node: NodeLayout, signal: AbortSignal): Promise<void> {
  const { folders, cgroup2 } = createCgroups(node.cgroup);
  await createNetwork(node, signal);
  await mkdir(join(layout.folder, 'cgroup2'));
  const scripts: Readonly<Record<string, string>> = { ...nodeScripts(layout, node, folders, cgroup2) };
  for (const [name, text] of Object.entries(scripts)) await writeFile(join(layout.folder, name), text, { mode: 0o755 });
}

/** Starts what makes a node of the machine, and waits until pods can run on it. */
export async function startKubelet(
  layout: Layout,
  node: NodeLayout,
  access: ApiAccess,
  start: NodeStart,
): Promise<void> {
  const { signal, onPart, programs } = start;
  const parts: Part[] = [];
  const add = (part: Part) => {
    onPart(part);
    parts.push(part);
  };
  add(startNodePart(layout, 'kubelet', programs));
  const ciliumSources = start.files.cilium;
  if (ciliumSources === null) add(startKubeProxy(layout, programs));
  else add(await startCilium(layout, node, access, start, ciliumSources));
  await createDnsService(access, signal);
  await poll(
    async () => {
      for (const part of parts) part.expectAlive();
      return (await isNodeReady(access, node.name, signal)) && (ciliumSources === null || isCiliumThere(layout));
    },
    { what: 'the node is ready', timeoutMs: 120_000, everyMs: 100, signal },
  );
}

/** Starts kubelet or containerd of a cluster, also again. */
export function startNodePart(layout: Layout, name: 'kubelet' | 'containerd', programs: Programs): Part {
  if (layout.node === null) throw new Error(`the cluster ${layout.name} has no node`);
  if (name === 'containerd') return startContainerd(layout, programs);
  return startPart(layout, name, kubelet(programs.path('kubelet'), layout, layout.node), [
    join(layout.folder, 'enter-node'),
  ]);
}

/** What makes Services work where Cilium does not do it; no part of it looks at policies. */
function startKubeProxy(layout: Layout, programs: Programs): Part {
  return startPart(layout, 'kube-proxy', kubeProxy(programs.path('kube-proxy'), layout), [
    join(layout.folder, 'enter-node'),
  ]);
}

/** Gives an image of an archive (docker's or OCI's) to the node. */
export async function importImage(
  layout: Layout,
  programs: Programs,
  archive: string,
  signal: AbortSignal,
): Promise<void> {
  await askContainerd(layout, programs, ['images', 'import', archive], signal);
}

/** The names of what was given to it, and of what it pulled. */
export async function listImages(layout: Layout, programs: Programs, signal: AbortSignal): Promise<readonly string[]> {
  const names = await askContainerd(layout, programs, ['images', 'list', '--quiet'], signal);
  return names.split('\n').filter((name) => name !== '');
}

async function askContainerd(
  layout: Layout,
  programs: Programs,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const ctr = [programs.path('ctr'), '--address', containerdSocket(layout), '--namespace', 'k8s.io'];
  return runOk(join(layout.folder, 'enter-node'), [...ctr, ...args], { signal, timeoutMs: 300_000 });
}

function startContainerd(layout: Layout, programs: Programs): Part {
  const program = programs.path('containerd');
  const shims = join(programs.path('containerd-shim-runc-v2'), '..');
  const env = { PATH: `${shims}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` };
  return startPart(layout, 'containerd', { program, args: ['--config', join(layout.folder, 'containerd.toml')], env }, [
    join(layout.folder, 'enter-node'),
  ]);
}

async function createCni(layout: Layout, programs: Programs): Promise<void> {
  const bin = join(layout.folder, 'cni-bin');
  await mkdir(bin);
  for (const plugin of await readdir(cniPlugins)) await symlink(join(cniPlugins, plugin), join(bin, plugin));
  if (layout.level === 'full') await symlink(programs.path('cilium-cni'), join(bin, 'cilium-cni'));
  const { file, text } = cniConfig(layout);
  await mkdir(join(layout.folder, 'cni'));
  await writeFile(join(layout.folder, 'cni', file), text);
}

async function startCilium(
  layout: Layout,
  node: NodeLayout,
  access: ApiAccess,
  start: NodeStart,
  sources: string,
): Promise<Part> {
  const { folder } = layout;
  await cp(join(sources, 'bpf'), join(folder, 'cilium', 'bpf'), { recursive: true });
  await mkdir(join(folder, 'path'));
  await symlink(start.programs.path('llc-19'), join(folder, 'path', 'llc'));
  // This clang warns where the one that Cilium ships with did not, and warnings are errors to Cilium.
  const clang = `#!/bin/sh\nexec ${start.programs.path('clang-19')} "$@" -Wno-error\n`;
  await writeFile(join(folder, 'path', 'clang'), clang, { mode: 0o755 });
  await createCrds(join(sources, 'crds'), access, start.signal);
  return startPart(layout, 'cilium', ciliumAgent(start.programs.path('cilium-agent'), layout, node, apiPort), [
    join(folder, 'enter-node'),
    ...['unshare', '--mount', '--propagation', 'slave'],
  ]);
}

async function createCrds(folder: string, access: ApiAccess, signal: AbortSignal): Promise<void> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.yaml'));
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await Promise.all(
    files.map((file) => create(access, path, { name: file, yaml: readFileSync(join(folder, file), 'utf8') }, signal)),
  );
}

/** An address where pods look for DNS by default, and nobody answers. */
async function createDnsService(access: ApiAccess, signal: AbortSignal): Promise<void> {
  const ports = ['UDP', 'TCP'].map((protocol) => ({ name: `dns-${protocol.toLowerCase()}`, protocol, port: 53 }));
  const service = { metadata: { name: 'kube-dns' }, spec: { clusterIP: dnsServiceAddress, ports } };
  const yaml = JSON.stringify(service);
  await create(access, '/api/v1/namespaces/kube-system/services', { name: 'the Service kube-dns', yaml }, signal);
}

/** Asks again when no answer comes: a machine that compiles something else is slow. Then it may be there already. */
async function create(
  access: ApiAccess,
  path: string,
  { name, yaml }: { readonly name: string; readonly yaml: string },
  signal: AbortSignal,
): Promise<void> {
  const answer = await poll(() => askApi(access, path, { method: 'POST', yaml, signal }), {
    what: `${name} is created`,
    timeoutMs: 60_000,
    signal,
  });
  if (answer.status !== 201 && answer.status !== 409) throw new Error(`${name} was not taken: ${answer.body}`);
}

const NodeObject = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) }),
});

async function isNodeReady(access: ApiAccess, name: string, signal: AbortSignal): Promise<boolean> {
  const answer = await askApi(access, `/api/v1/nodes/${name}`, { signal });
  if (answer?.status !== 200) return false;
  const { conditions } = NodeObject.parse(JSON.parse(answer.body)).status;
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** Its socket is in the mounts of the node. */
function isCiliumThere(layout: Layout): boolean {
  const pid = readFileSync(join(layout.folder, 'node.pid'), 'utf8').trim();
  return existsSync(`/proc/${pid}/root/run/cilium/cilium.sock`);
}

function isThere(part: Part, file: string): boolean {
  part.expectAlive();
  return existsSync(file);
}
