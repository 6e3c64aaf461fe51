/**
 * A TCP link that a test can cut. What is held back by a silent link comes through when it is mended, as TCP sends lost
 * packets again.
 */
import {type Server, type Socket, connect, createServer} from 'node:net';

/**
 * `cut`: connections break, new ones are refused. `silent`: nothing goes through. `deaf`: questions go through, answers
 * do not.
 */
export type LinkState = 'open' | 'cut' | 'silent' | 'deaf';

export interface Link {
  readonly port: number;
  readonly state: LinkState;
  set(state: LinkState): void;
  /** Every chunk takes so long, in each direction. */
  delay(ms: number): void;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** Listens on `port` and passes on to `target`, both on loopback. */
export async function openLink(port: number, target: () => number): Promise<Link> {
  const pairs = new Set<Pair>();
  let state: LinkState = 'open';
  let delayMs = 0;

  const server: Server = createServer((near) => {
    if (state === 'cut') {
      near.resetAndDestroy();
      return;
    }
    const far = connect(target(), '127.0.0.1');
    const pair = {near, far};
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    pass(near, far, end);
    pass(far, near, end);
    apply(pair);
  });

  function pass(from: Socket, to: Socket, end: () => void): void {
    from.setNoDelay(true);
    from.on('data', (chunk: Buffer) => {
      if (delayMs === 0) to.write(chunk);
      else setTimeout(() => to.writable && to.write(chunk), delayMs);
    });
    from.on('error', end).on('close', end);
  }

  function apply({near, far}: Pair): void {
    if (state === 'cut') near.resetAndDestroy();
    else {
      if (state === 'silent') near.pause();
      else near.resume();
      if (state === 'silent' || state === 'deaf') far.pause();
      else far.resume();
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    port,
    get state() {
      return state;
    },
    set(next) {
      state = next;
      for (const pair of [...pairs]) apply(pair);
    },
    delay(ms) {
      delayMs = ms;
    },
    async close() {
      for (const {near, far} of [...pairs]) {
        near.destroy();
        far.destroy();
      }
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
