/**
 * The socket between the process that owns a cluster and the commands that ask it. The owner stays in its terminal:
 * machines whose owner nobody sees are machines that somebody forgets.
 */
import {mkdir, readFile, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {pathExists, writeFileAtomic} from '../../platform/files.ts';
import {
  type LocalAnswer,
  type LocalRequest,
  type LocalServer,
  LocalHttpError,
  askLocal,
  listenLocal,
} from '../../platform/local-http.ts';
import type {Cluster} from '../../qemu/cluster/cluster.ts';
import {MEMBER_USER} from '../../qemu/cluster/member.ts';
import {findMember} from '../../qemu/cluster/plan.ts';
import {type ClusterNote, type ClusterStatus, clusterStatusSchema, noteSchema} from './document.ts';
import {ClusterError} from './errors.ts';
import type {Observer} from './observe.ts';

const NOTE_FILE = 'cluster.json';
const MAX_ANSWER_BYTES = 1 << 20;
/** The owner gives up on those who do not answer after some seconds. */
const ANSWER_TIMEOUT_MS = 60_000;

export interface ControlOptions {
  cluster: Cluster;
  observer: Observer;
  /** Where the note lies. */
  directory: string;
  /** A short path; unix(7) allows 107 bytes. */
  socket: string;
  /** Someone wants the cluster to end. */
  onDown: () => void;
  say: (text: string) => void;
}

/** Serves the control socket and leaves a note of it; both are gone after `close`. */
export async function serveControl(options: ControlOptions): Promise<LocalServer> {
  const {cluster, directory, socket} = options;
  const server = await listenLocal(
    {path: socket, mode: 0o600, maxBodyBytes: 0, maxConnections: 32},
    (request) => answer(options, request),
  );
  const note: ClusterNote = {
    pid: process.pid,
    controlSocket: socket,
    user: MEMBER_USER,
    identityFile: cluster.identityFile,
    members: cluster.members.map(({plan, ssh, etcdUrl, consoleLog}) => ({
      ...{number: plan.number, name: plan.name, address: plan.address},
      ...{sshPort: ssh.target.port, etcdUrl, consoleLog},
    })),
  };
  await mkdir(directory, {recursive: true});
  await writeFileAtomic(join(directory, NOTE_FILE), `${JSON.stringify(note, undefined, 2)}\n`, 0o600);
  return {
    async close() {
      await rm(join(directory, NOTE_FILE), {force: true});
      await server.close();
    },
  };
}

async function answer(
  options: ControlOptions,
  {method, path, query, signal}: LocalRequest,
): Promise<LocalAnswer> {
  const {cluster, observer, onDown, say} = options;
  const route = `${method} ${path}`;
  if (route === 'GET /v1/status') return json(await observer.status(signal));
  if (route === 'POST /v1/down') {
    onDown();
    return json({});
  }
  if (route !== 'POST /v1/cut' && route !== 'POST /v1/join')
    return {status: 404, type: 'text/plain', body: `there is no ${route}\n`};
  const member = findMember(
    cluster.members.map(({plan}) => plan),
    query.get('member') ?? '',
  );
  if (path === '/v1/cut') cluster.network.cut(member.name);
  else cluster.network.join(member.name);
  say(`${member.name} is ${path === '/v1/cut' ? 'cut off from' : 'joined to'} the network`);
  return json({member: member.name});
}

function json(value: unknown): LocalAnswer {
  return {status: 200, type: 'application/json', body: `${JSON.stringify(value)}\n`};
}

/** The cluster that runs now, if one does; a note that a killed process left behind is none. */
export async function readNote(directory: string): Promise<ClusterNote | undefined> {
  const path = join(directory, NOTE_FILE);
  if (!(await pathExists(path))) return undefined;
  const note = noteSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  return (await pathExists(`/proc/${note.pid}`)) ? note : undefined;
}

/** Throws ClusterError 'no-cluster'. */
export async function requireNote(directory: string): Promise<ClusterNote> {
  const note = await readNote(directory);
  if (note !== undefined) return note;
  throw new ClusterError('no-cluster', 'no cluster is running', {hint: 'start one with: caisson cluster up'});
}

export async function askStatus(note: ClusterNote, signal: AbortSignal): Promise<ClusterStatus> {
  return clusterStatusSchema.parse(JSON.parse(await ask(note, 'GET', '/v1/status', signal)));
}

export async function askLink(
  note: ClusterNote,
  verb: 'cut' | 'join',
  member: string,
  signal: AbortSignal,
): Promise<void> {
  const {name} = findMember(note.members, member);
  await ask(note, 'POST', `/v1/${verb}?member=${name}`, signal);
}

export async function askDown(note: ClusterNote, signal: AbortSignal): Promise<void> {
  await ask(note, 'POST', '/v1/down', signal);
}

async function ask(
  note: ClusterNote,
  method: 'GET' | 'POST',
  target: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    const {status, body} = await askLocal(note.controlSocket, {
      ...{method, target, signal},
      ...{timeoutMs: ANSWER_TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES},
    });
    if (status === 200) return body;
    throw new ClusterError('refused', `process ${note.pid}, which runs the cluster: ${body.trim()}`);
  } catch (error) {
    if (!(error instanceof LocalHttpError)) throw error;
    throw new ClusterError('no-cluster', `process ${note.pid}, which runs the cluster, does not answer`, {
      cause: error,
    });
  }
}
