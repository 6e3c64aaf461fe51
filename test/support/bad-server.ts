/**
 * A file server that breaks its promises on demand: one fault a request, in the order given, and then it serves as it
 * should. For tests of whatever downloads; on a real socket of 127.0.0.1.
 */
import {createHash} from 'node:crypto';
import {type IncomingMessage, type ServerResponse, createServer} from 'node:http';
import type {AddressInfo} from 'node:net';

export type Fault =
  | {kind: 'none'}
  /** This status and a page of text. */
  | {kind: 'status'; status: number}
  /** 200 and the whole file, whatever was asked for. */
  | {kind: 'no-ranges'}
  /** Ends the connection after so many bytes of the body. */
  | {kind: 'cut'; afterBytes: number}
  /** Says nothing at all. */
  | {kind: 'silent'}
  /** So many bytes, then nothing more; the connection stays. */
  | {kind: 'stall'; afterBytes: number}
  /** A byte now and then. */
  | {kind: 'drip'}
  /** Chunks without a length and without an end. */
  | {kind: 'endless'}
  /** Chunks that end early, without an error. */
  | {kind: 'short'; bytes: number}
  /** Announces so many bytes more, or fewer, than there are. */
  | {kind: 'wrong-length'; by: number}
  /** 206 with another range than the one asked for. */
  | {kind: 'wrong-range'}
  | {kind: 'garbled-range'}
  /** 416, with the true length. */
  | {kind: 'unsatisfiable'}
  /** Other bytes of the same length under another tag; `isHonest` looks at If-Range. */
  | {kind: 'other-file'; isHonest: boolean}
  /** Other bytes under the same tag: only a hash can tell. */
  | {kind: 'wrong-bytes'}
  | {kind: 'packed'}
  | {kind: 'redirect'; to: string};

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

export interface BadServer {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** What comes next; what was planned and did not happen is forgotten. */
  plan(...faults: readonly Fault[]): void;
  /** Serves other content from now on. */
  replace(content: Uint8Array): void;
  close(): Promise<void>;
}

const DRIP_INTERVAL_MS = 20;

export async function startBadServer(initial: Uint8Array): Promise<BadServer> {
  let content = initial;
  let planned: Fault[] = [];
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    requests.push({method: request.method ?? '', url: request.url ?? '', headers: request.headers});
    // A client that hangs up is what these tests are about.
    response.on('error', () => undefined);
    serve(planned.shift() ?? {kind: 'none'}, content, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/payload`,
    requests,
    plan: (...faults) => void (planned = [...faults]),
    replace: (other) => void (content = other),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function etagOf(content: Uint8Array): string {
  return `"${createHash('sha256').update(content).digest('hex').slice(0, 16)}"`;
}

function serve(fault: Fault, content: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
  const etag = etagOf(content);
  const {range} = request.headers;
  const asked = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const ifRange = request.headers['if-range'];
  const isPart = range !== undefined && (ifRange === undefined || ifRange === etag);
  const first = isPart ? asked : 0;
  const rest = content.subarray(first);
  const length = content.length;

  function head(
    changes: Record<string, string | number | undefined> = {},
    status = isPart ? 206 : 200,
  ): void {
    const headers = {
      etag,
      'accept-ranges': 'bytes',
      'content-length': length - first,
      'content-range': status === 206 ? `bytes ${first}-${length - 1}/${length}` : undefined,
      ...changes,
    };
    const present = Object.entries(headers).filter(
      (pair): pair is [string, string | number] => pair[1] !== undefined,
    );
    response.writeHead(status, Object.fromEntries(present));
  }

  switch (fault.kind) {
    case 'none':
      head();
      return void response.end(rest);
    case 'status':
      return void response.writeHead(fault.status).end('no\n');
    case 'no-ranges':
      head({'content-length': length, 'accept-ranges': 'none'}, 200);
      return void response.end(content);
    case 'cut':
      head();
      return void response.write(rest.subarray(0, fault.afterBytes), () => response.destroy());
    case 'silent':
      return;
    case 'stall':
      head();
      return void response.write(rest.subarray(0, fault.afterBytes));
    case 'drip': {
      head();
      let at = 0;
      const timer = setInterval(() => response.write(rest.subarray(at, (at += 1))), DRIP_INTERVAL_MS);
      return void response.on('close', () => clearInterval(timer));
    }
    case 'endless': {
      head({'content-length': undefined});
      const pump = (part: Uint8Array): void =>
        void response.write(part, () => (response.destroyed ? undefined : setImmediate(pump, content)));
      return pump(rest);
    }
    case 'short':
      head({'content-length': undefined});
      return void response.end(rest.subarray(0, fault.bytes));
    case 'wrong-length':
      head({'content-length': length - first + fault.by});
      return void response.end(rest.subarray(0, rest.length + Math.min(0, fault.by)));
    case 'wrong-range':
      head(
        {'content-range': `bytes ${first + 1}-${length - 1}/${length}`, 'content-length': length - first - 1},
        206,
      );
      return void response.end(rest.subarray(1));
    case 'garbled-range':
      head({'content-range': 'bytes a-b/c'}, 206);
      return void response.end(rest);
    case 'unsatisfiable':
      return void response.writeHead(416, {'content-range': `bytes */${length}`}).end();
    case 'other-file': {
      const other = Buffer.alloc(length, 'other ');
      if (fault.isHonest) response.writeHead(200, {etag: etagOf(other), 'content-length': length}).end(other);
      else {
        head({etag: etagOf(other)});
        response.end(other.subarray(first));
      }
      return;
    }
    case 'wrong-bytes':
      head();
      return void response.end(Buffer.alloc(rest.length, 'wrong '));
    case 'packed':
      head({'content-encoding': 'gzip'});
      return void response.end(rest);
    case 'redirect':
      return void response.writeHead(302, {location: fault.to}).end();
  }
}
