/** A web server of this machine that answers by path, as a test has it from one moment to the next. */
import {createServer, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {TestContext} from 'node:test';

export type Answer =
  | string
  | {readonly status: number}
  | {readonly redirect: string}
  /** None, until the test gives one; the connection stays. */
  | {readonly never: true};

export interface AnswerServer {
  readonly port: number;
  /** From this machine. */
  readonly url: string;
  /** As a guest on QEMU's user network sees this machine. */
  readonly guestUrl: string;
  /** By path; what is not here is 404. */
  readonly answers: Map<string, Answer>;
  /** Resolves when the path was asked for, from now on. */
  asked(path: string): Promise<void>;
}

export async function startAnswers(
  t: TestContext,
  answers: Readonly<Record<string, Answer>> = {},
): Promise<AnswerServer> {
  const byPath = new Map(Object.entries(answers));
  const waiting: {path: string; resolve: () => void}[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    respond(byPath.get(path) ?? {status: 404}, response);
    for (const each of waiting.filter((other) => other.path === path)) each.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const {port} = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    guestUrl: `http://10.0.2.2:${port}`,
    answers: byPath,
    asked: (path) => new Promise((resolve) => waiting.push({path, resolve})),
  };
}

function respond(answer: Answer, response: ServerResponse): void {
  if (typeof answer === 'string') response.end(answer);
  else if ('never' in answer) return;
  else if ('status' in answer) response.writeHead(answer.status).end('no\n');
  else response.writeHead(302, {location: answer.redirect}).end();
}
