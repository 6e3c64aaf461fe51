/** All at once, for whoever wants to see how things are. */
import {listGroups} from '../store/groups.ts';
import {listChannels, listReleases} from '../store/releases.ts';
import type {ApiRoute} from './router.ts';
import type {ApiTools} from './tools.ts';

export const STATUS_ROUTES: readonly ApiRoute[] = [
  {method: 'GET', path: /^status$/, role: 'read', act: (_call, tools) => describe(tools)},
];

async function describe({database, hub}: ApiTools): Promise<object> {
  const groups = await listGroups(database);
  return {
    releases: await listReleases(database),
    channels: await listChannels(database),
    groups: groups.map(({id, name, channel, document}) => ({
      id,
      name,
      channel,
      policy: document,
      rollout: hub.summary(name),
    })),
  };
}
