/** This host in the words of others: the Omaha client's, the HTTP client's. */
import {readFile} from 'node:fs/promises';
import type {UpdateSettings} from '../../formats/update-conf.ts';
import type {HttpClientOptions} from '../../platform/http.ts';
import type {Identity} from '../identity.ts';
import type {OmahaHost} from '../omaha/request-of.ts';
import type {History} from './history.ts';

export function omahaHost(identity: Identity, settings: UpdateSettings, history: History): OmahaHost {
  const {version, machineId, bootId, oem} = identity;
  return {
    version,
    alephVersion: history.alephVersion,
    group: settings.group,
    machineId,
    machineAlias: settings.machineAlias,
    bootId,
    oem,
  };
}

export async function httpOptions({proxy, caFile}: UpdateSettings): Promise<HttpClientOptions> {
  return {
    ...(proxy === null ? {} : {proxy}),
    ...(caFile === null ? {} : {ca: await readFile(caFile, 'utf8')}),
  };
}
