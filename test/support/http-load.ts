/**
 * Asks a server over HTTP with keep-alive on several connections, each the next question as soon as it has its answer,
 * and takes the time. Plain sockets: a client of HTTP would cost more than the server that is measured.
 */
import {type Socket, connect} from 'node:net';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** A whole request, head and body. */
  readonly next: () => Buffer;
  /** Nothing is counted until this is over. */
  readonly warmUp: () => Promise<unknown>;
  /** Counts until this is over. */
  readonly measure: () => Promise<unknown>;
}

export interface LoadResult {
  readonly answers: number;
  readonly seconds: number;
  /** Milliseconds from question to answer, in order. */
  readonly latencies: Float64Array;
  /** How many answers had which HTTP status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Connections that ended without an answer. */
  readonly broken: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** Throws when the server cannot be reached. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const {port, connections, next, warmUp, measure} = options;
  const latencies: number[] = [];
  const statuses = new Map<number, number>();
  let broken = 0;
  let [beginsAt, endsAt] = [Infinity, Infinity];
  const asking = Promise.all(
    Array.from({length: connections}, async () => {
      let socket = await dial(port);
      let ask = questions(socket);
      for (let sentAt = performance.now(); sentAt < endsAt;) {
        const status = await ask(next()).catch(() => null);
        if (status === null) {
          // Whoever was kept from a processor for longer than a connection may idle asks anew.
          broken += 1;
          socket = await dial(port);
          ask = questions(socket);
          sentAt = performance.now();
          continue;
        }
        const now = performance.now();
        if (sentAt >= beginsAt && sentAt < endsAt) {
          latencies.push(now - sentAt);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
        sentAt = now;
      }
      socket.destroy();
    }),
  );
  const plan = async (): Promise<void> => {
    await warmUp();
    beginsAt = performance.now();
    await measure();
    endsAt = performance.now();
  };
  try {
    await Promise.race([plan(), asking]);
  } finally {
    endsAt = Math.min(endsAt, performance.now());
  }
  await asking;
  const spent = (endsAt - beginsAt) / 1000;
  return {
    answers: latencies.length,
    seconds: spent,
    latencies: Float64Array.from(latencies).sort(),
    statuses,
    broken,
  };
}

/** `share` from 0 to 1. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export async function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({port, host: '127.0.0.1', noDelay: true}, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Sends one request after the other; each call returns the status of its answer when all of its body is there. */
function questions(socket: Socket): (request: Buffer) => Promise<number> {
  let waiting: {resolve: (status: number) => void; reject: (error: Error) => void} | null = null;
  let received: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const headEnd = received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = received.toString('latin1', 0, headEnd);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(length + status)) socket.destroy(new Error(`no answer of HTTP: ${head.slice(0, 200)}`));
    if (received.length < headEnd + HEAD_END.length + length) return;
    received = Buffer.alloc(0);
    waiting?.resolve(status);
  });
  const fail = (error?: Error): void =>
    waiting?.reject(error ?? new Error('the server closed the connection'));
  socket.on('error', fail);
  socket.on('close', () => fail());
  return (request) =>
    new Promise((resolve, reject) => {
      waiting = {resolve, reject};
      socket.write(request);
    });
}
