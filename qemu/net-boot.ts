/**
 * What a machine without a disk is started from: its release over HTTP from a port of this host, and what tells the
 * firmware so. `ipxe` hands out a script by QEMU's own DHCP and TFTP, which the iPXE in QEMU's network card runs; `http` is
 * the firmware's own client, and takes a UKI.
 *
 * Rejected: dnsmasq on a bridge, which would answer DHCP for HTTP boot as well, but wants root and a network of its own.
 */
import {createReadStream} from 'node:fs';
import {readFile, stat, writeFile} from 'node:fs/promises';
import {basename, join} from 'node:path';
import type {ServerAnswer} from '../platform/http-server-answer.ts';
import {listenHttp} from '../platform/http-server.ts';
import {findFirmware} from './firmware.ts';
import type {NetworkSpec, PortForward} from './machine-spec.ts';
import {withBootAddress} from './uefi-variables.ts';

export interface NetBootOptions {
  kind: 'ipxe' | 'http';
  /** Folder with the files of a release. */
  release: string;
  /** In it: the iPXE script, or the UKI. */
  file: string;
  /** Words for the kernel's command line; for `http` they go by the machine's own `kernelArguments`. */
  kernelArguments: readonly string[];
  /** Where files for this machine alone may lie. */
  folder: string;
  forwards: readonly PortForward[];
}

export interface NetBoot {
  network: NetworkSpec;
  varsFile: string | undefined;
  /** Paths that were asked for so far, in order. */
  requests: readonly string[];
  close(): Promise<void>;
}

/** How QEMU's user network calls the host. */
const HOST_ADDRESS = '10.0.2.2';
const SCRIPT_FILE = 'boot.ipxe';

/** Listens until it is closed. Throws ListenError and QemuError. */
export async function offerNetBoot(options: NetBootOptions): Promise<NetBoot> {
  const {kind, release, file, folder, forwards} = options;
  const requests: string[] = [];
  const server = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    tls: null,
    maxBodyBytes: 0,
    handle: ({path}) => answerFile(release, path),
    onAccess: ({method, target}) => void requests.push(`${method} ${target}`),
  });
  const address = `http://${HOST_ADDRESS}:${new URL(server.url).port}/${file}`;
  const common = {kind: 'user', forwards} as const;
  const close = () => server.close(0);
  if (kind === 'http') {
    const {varsTemplate} = await findFirmware();
    const varsFile = join(folder, 'firmware-vars.fd');
    await writeFile(varsFile, withBootAddress(await readFile(varsTemplate), address, 'Caisson'));
    return {network: common, varsFile, requests, close};
  }
  await writeFile(join(folder, SCRIPT_FILE), startScript(address, options.kernelArguments));
  const tftp = {folder, bootFile: SCRIPT_FILE};
  return {network: {...common, boot: true, ipxe: true, tftp}, varsFile: undefined, requests, close};
}

/** What DHCP names: sets the operator's words, and goes on to the script of the release. */
export function startScript(address: string, kernelArguments: readonly string[]): string {
  return `#!ipxe\nset caisson-arguments ${kernelArguments.join(' ')}\nchain ${address}\n`;
}

async function answerFile(folder: string, path: string): Promise<ServerAnswer> {
  const name = basename(path);
  const file = join(folder, name);
  const found = path === `/${name}` ? await stat(file).catch(() => undefined) : undefined;
  if (found?.isFile() !== true) return {status: 404, headers: {}, body: new Uint8Array()};
  return {
    status: 200,
    headers: {'content-type': name.endsWith('.efi') ? 'application/efi' : 'application/octet-stream'},
    body: {bytes: found.size, open: () => createReadStream(file, {highWaterMark: CHUNK_BYTES})},
  };
}

const CHUNK_BYTES = 1 << 20;
