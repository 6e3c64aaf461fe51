/** Puts the page together for a server: its routes, and what goes on beside them. */
import {setTimeout} from 'node:timers/promises';
import type {ApiTools} from '../api/tools.ts';
import type {Route} from '../route.ts';
import {pageRoutes} from './app.ts';
import {loadAssets} from './assets.ts';
import {createPageData} from './data.ts';
import {createFeed} from './feed.ts';
import {createGuard} from './guard.ts';
import {PAGE_PREFIX} from './layout.ts';
import {createRecorder} from './recorder.ts';

export interface MountedPage {
  readonly routes: readonly Route[];
  /** To be called each minute or so. */
  record(now: number): Promise<void>;
  /** Lets open pages go, which would keep the server from ending. */
  close(): void;
}

export async function mountPage(api: ApiTools, publicUrl: string | null): Promise<MountedPage> {
  const {database, hub, random, now} = api;
  const feed = createFeed({sleep, now});
  const recorder = createRecorder(database, hub);
  const stopListening = hub.onChange((groups) => feed.announce(groups));
  const tools = {
    data: createPageData(database, hub),
    guard: createGuard({database, publicUrl, random, now}),
    feed,
    assets: await loadAssets(`${PAGE_PREFIX}assets/`),
    api,
    publicUrl,
  };
  return {
    routes: pageRoutes(tools),
    record: (at) => recorder.record(at),
    close() {
      stopListening();
      feed.close();
    },
  };
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, {signal}).catch(() => undefined);
}
