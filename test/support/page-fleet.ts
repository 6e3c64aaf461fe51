/**
 * A release server with hosts that live through rollouts, on a clock that nobody waits for: the real server on a real
 * socket, asked in the words of the host's own client. What the page shows of it is what it would show of a fleet.
 */
import {createHash, randomBytes, randomUUID} from 'node:crypto';
import {mkdir, mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {CAISSON_APP_ID, type OmahaEvent, encodeRequest} from '../../formats/omaha/request.ts';
import {RELEASE_FILE, formatRelease, parseRelease} from '../../formats/release.ts';
import {encodeSpdx} from '../../formats/spdx.ts';
import {readOutcome} from '../../formats/omaha/offer.ts';
import {decodeResponse} from '../../formats/omaha/response.ts';
import {pathExists} from '../../platform/files.ts';
import {type HubServer, TOKEN_FILE, serveHub} from '../../server/hub/serve.ts';
import {addRelease as storeRelease} from '../../server/store/releases.ts';
import type {Database} from '../../server/store/sql.ts';
import {openStore} from '../../server/store/store.ts';
import {requestOf} from '../../update-engine/omaha/request-of.ts';
import {addRelease, samplePayload} from './release-folder.ts';

export interface PageFleet {
  readonly url: string;
  /** With the role admin. */
  readonly token: string;
  readonly dir: string;
  now(): number;
  /** Time goes by, and the server notices. */
  pass(ms: number): Promise<void>;
  /** A call of the API; gives what it answers. Throws for a status that is not 200. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Points the channel to it; makes it first, if it is not there. */
  publish(version: string, channel: string): Promise<void>;
  /** A host asks, and tells events before; gives the version that it is offered. */
  ask(host: FleetHost, events?: readonly OmahaEvent[]): Promise<string | null>;
  stop(): Promise<void>;
  /** The same server again, with the same store. */
  restart(): Promise<void>;
}

export interface FleetHost {
  readonly id: string;
  readonly alias: string;
  readonly group: string;
  version: string;
}

const {signal} = new AbortController();
export const EVENTS = {
  downloading: {type: 13, result: 1, errorCode: null, previousVersion: null},
  downloaded: {type: 14, result: 1, errorCode: null, previousVersion: null},
  installed: {type: 3, result: 1, errorCode: null, previousVersion: null},
  rolledBack: {type: 3, result: 0, errorCode: 44, previousVersion: null},
  failed: {type: 3, result: 0, errorCode: 10, previousVersion: null},
} as const satisfies Record<string, OmahaEvent>;

export function goodAfter(previousVersion: string): OmahaEvent {
  return {type: 3, result: 2, errorCode: null, previousVersion};
}

/**
 * `startAt`: what the clock of the server says first. `prepare` may put into the store what hosts and the API do not; it
 * gets the folder of releases as well.
 */
export async function startPageFleet(
  startAt: number,
  prepare?: (database: Database, dir: string) => Promise<void>,
): Promise<PageFleet> {
  const dir = await mkdtemp(join(tmpdir(), 'page-'));
  const dataDir = join(dir, 'server');
  await mkdir(dataDir);
  let at = startAt;
  let port = 0;
  let tick: () => void = () => undefined;
  const lines: string[] = [];
  const open = (): Promise<HubServer> =>
    serveHub({
      releaseDir: dir,
      dataDir,
      place: {kind: 'embedded', dir: dataDir},
      host: '127.0.0.1',
      port,
      tls: null,
      publicUrl: null,
      vouch: () => Promise.resolve(),
      trustedKeys: () => Promise.resolve([]),
      now: () => at,
      random: randomBytes,
      newId: randomUUID,
      every(_ms, act) {
        tick = act;
        return () => undefined;
      },
      onLine: (line) => lines.push(line),
      onAccess: () => undefined,
      signal,
    });
  if (prepare !== undefined) {
    const place = {kind: 'embedded', dir: dataDir} as const;
    const store = await openStore(place, {now: at, onLost: () => undefined, signal});
    await prepare(store.database, dir);
    await store.close();
  }
  let server = await open();
  const token = (await readFile(join(dataDir, TOKEN_FILE), 'utf8')).trim();

  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${server.url}/api/v1/${path}`, {
      method,
      headers: {authorization: `Bearer ${token}`},
      ...(body === undefined ? {} : {body: JSON.stringify(body)}),
    });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as unknown;
  }

  return {
    get url() {
      return server.url;
    },
    token,
    dir,
    now: () => at,
    async pass(ms) {
      at += ms;
      tick();
      // What a tick begins is done when a call that comes after it is answered.
      await call('GET', 'status');
    },
    call,
    async publish(version, channel) {
      if (!(await pathExists(join(dir, version)))) await addRelease(dir, version, samplePayload(version));
      await call('PUT', `channels/${channel}`, {version});
    },
    async ask({id, alias, group, version}, events = []) {
      const self = {version, alephVersion: '1.0.0', group, machineId: id, machineAlias: alias};
      const host = {...self, bootId: '0b4a3b9e-4f5c-4d6e-8f70-112233445566', oem: {id: 'qemu', version: '1'}};
      const question = {by: 'timer', ping: true, updateCheck: {targetVersionPrefix: ''}, events} as const;
      const send = (): Promise<Response> =>
        fetch(`${server.url}/v1/update/`, {method: 'POST', body: encodeRequest(requestOf(host, question))});
      // A connection that was idle may be closed by the server at the very moment when it is used again.
      const answer = await send().catch(send);
      if (answer.status !== 200) throw new Error(`${answer.status}: ${lines.join('\n')}`);
      const {apps} = decodeResponse(Buffer.from(await answer.arrayBuffer()));
      return readOutcome({server: '', apps}, CAISSON_APP_ID).offer?.version ?? null;
    },
    async stop() {
      await server.close(1000);
      await rm(dir, {recursive: true, force: true});
    },
    async restart() {
      await server.close(1000);
      // Whoever holds an address comes back to it.
      port = Number(new URL(server.url).port);
      server = await open();
    },
  };
}

/** So many hosts of a group, with ids that are the same each time. */
export function hostsOf(group: string, count: number, version: string): readonly FleetHost[] {
  return Array.from({length: count}, (_, index) => ({
    id: Buffer.from(`${group}-${String(index).padStart(6, '0')}`.padEnd(16, '-'))
      .toString('hex')
      .slice(0, 32),
    alias: index % 3 === 0 ? `${group}-rack${Math.floor(index / 30) + 1}-${index % 30}` : '',
    group,
    version,
  }));
}

/** Asks, and when it is offered something goes all the way: downloads, installs, reboots, is good. */
export async function update(fleet: PageFleet, host: FleetHost): Promise<boolean> {
  const offered = await fleet.ask(host);
  if (offered === null) return false;
  await fleet.ask(host, [EVENTS.downloading]);
  await fleet.ask(host, [EVENTS.downloaded, EVENTS.installed]);
  const before = host.version;
  host.version = offered;
  await fleet.ask(host, [goodAfter(before)]);
  return true;
}

/** A release with notes and a bill of materials, in the folder and in the store. `packages`: names to versions. */
export async function addDocumented(
  {database, dir}: {readonly database: Database; readonly dir: string},
  version: string,
  {
    notes,
    packages,
    at,
  }: {readonly notes: string; readonly packages: Readonly<Record<string, string>>; readonly at: number},
): Promise<void> {
  const payload = samplePayload(version, 64);
  await addRelease(dir, version, payload);
  const hash = (name: string): Buffer => createHash(name).update(payload).digest();
  const sbom = encodeSpdx({
    name: 'Caisson Linux',
    version,
    created: Math.floor(at / 1000),
    tool: 'test',
    namespaceBase: 'https://test.example/sbom',
    distribution: 'debian-13',
    packages: Object.entries(packages).map(([name, packageVersion]) => ({
      ...{name, version: packageVersion, architecture: 'amd64', sha256: '0'.repeat(64), set: 'os' as const},
      ...{sourceName: name, sourceVersion: packageVersion},
    })),
  });
  const release = parseRelease(await readFile(join(dir, version, RELEASE_FILE), 'utf8'), version);
  const files = {'usr.img': {role: 'usr', bytes: 840_536_064, sha256: '1'.repeat(64)}};
  const manifest = formatRelease({...release, files});
  await storeRelease(
    database,
    {
      version,
      bytes: payload.length,
      sha256: hash('sha256').toString('hex'),
      sha1: hash('sha1').toString('base64'),
    },
    at,
    {
      by: 'ci',
      signedBy: 'release-2026',
      documents: {notes, sbom, manifest},
    },
  );
}
