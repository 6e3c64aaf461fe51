/** GitHub's endpoint of public keys, for one account, on this machine. */
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';

export interface KeyServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Answers for the keys of one account, and nothing else. */
export async function startGithub(account: string, publicKey: string): Promise<KeyServer> {
  const server = createServer((request, response) => {
    if (request.url === `/users/${account}/keys`) response.end(JSON.stringify([{id: 1, key: publicKey}]));
    else response.writeHead(404).end('{"message": "Not Found"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
