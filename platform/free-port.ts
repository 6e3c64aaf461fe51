/** A port of 127.0.0.1 that nobody listens on right now; who wants it has to be quick. */
import {createServer} from 'node:net';

/** The preferred port if it is free, else one that the system picks; 0 has no preference. */
export function findFreePort(preferred: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => (preferred === 0 ? reject(error) : resolve(findFreePort(0))));
    server.listen(preferred, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
