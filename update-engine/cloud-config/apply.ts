/**
 * Applies a cloud-config, or says what that would do. In the order of coreos-cloudinit: the host's name, accounts, files
 * (keys among them), units. In every part what is there is looked at first and only what differs is touched, and what
 * cannot be done does not keep the rest from being done.
 */
import {parseCloudConfig} from '../../formats/cloud-config/parse.ts';
import {planConfig} from '../../formats/cloud-config/plan.ts';
import {type Addresses, wantsAddresses} from '../../formats/cloud-config/substitute.ts';
import type {Wanted, WantedFile} from '../../formats/cloud-config/wanted.ts';
import {YamlError} from '../../formats/yaml.ts';
import {decideAccounts, performAccounts} from './accounts.ts';
import {decideHostname, performHostname, readHostname} from './hostname.ts';
import {type CloudHost, type Problem, problemOf} from './host.ts';
import {resolveKeys} from './imports.ts';
import {applyFilesAndUnits} from './apply-files.ts';
import type {Change, Outcome} from './outcome.ts';
import {readAccounts} from './present.ts';
import {type RecordStore, hashOf} from './record.ts';
import {applyScript} from './script.ts';
import type {CloudSettings} from './settings.ts';
import type {FoundData} from './sources.ts';

export interface ApplyOptions {
  readonly isDryRun: boolean;
  readonly settings: CloudSettings;
}

const NO_ADDRESSES: Addresses = {
  public_ipv4: null,
  private_ipv4: null,
  public_ipv6: null,
  private_ipv6: null,
};

export async function applyUserData(
  host: CloudHost,
  store: RecordStore,
  {where, origin, bytes, data}: FoundData,
  options: ApplyOptions,
): Promise<Outcome> {
  const base: Outcome = {
    source: where,
    isDryRun: options.isDryRun,
    findings: [],
    changes: [],
    problems: options.settings.problems.map((text) => ({text})),
    notes: [],
  };
  if (data.kind === 'script') return applyScript(host, store, data.text, base);
  if (data.kind !== 'cloud-config')
    return {
      ...base,
      notes: [data.kind === 'empty' ? `${where} is empty` : `${where} is for Ignition, which is left to it`],
    };
  const needs = needsOf(data.text);
  if (needs.network) await host.waitForNetwork();
  const addresses = needs.addresses ? await host.addresses() : NO_ADDRESSES;
  let parsed;
  try {
    parsed = parseCloudConfig(data.text, addresses);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const finding = {kind: 'error', line: error.place?.line ?? 0, column: error.place?.column ?? 0} as const;
    return {
      ...base,
      findings: [{...finding, text: error.message}],
      notes: ['nothing of the config was applied'],
    };
  }
  const hostname = await readHostname(host);
  const wanted = planConfig(parsed.config, {addresses, hostname, mentionsEnvironment: needs.environment});
  const result = await applyWanted(
    host,
    store,
    wanted,
    {...base, findings: parsed.findings},
    {
      ...options,
      hostname,
      origin,
      userDataSha256: hashOf(bytes),
      // A mistake must not look like a wish to have things taken away.
      incomplete: parsed.findings.some(({kind}) => kind === 'error'),
    },
  );
  return {...result, notes: [...wanted.notes, ...result.notes]};
}

interface Needs {
  readonly network: boolean;
  readonly addresses: boolean;
  readonly environment: boolean;
}

/** A guess from the text, on the safe side: waiting for the network costs time and nothing else. */
function needsOf(text: string): Needs {
  const environment = /COREOS_(PUBLIC|PRIVATE)_IPV[46]|\/etc\/environment/.test(text);
  const cluster = /^\s*["']?(discovery|initial)[-_a-z]*["']?\s*:/m.test(text);
  const addresses = wantsAddresses(text) || environment || cluster;
  return {environment, addresses, network: addresses || /coreos[-_]ssh[-_]import/.test(text)};
}

async function applyWanted(
  host: CloudHost,
  store: RecordStore,
  wanted: Wanted,
  base: Outcome,
  options: ApplyOptions & {hostname: string; origin: string; userDataSha256: string; incomplete: boolean},
): Promise<Outcome> {
  const {isDryRun, settings} = options;
  const changes: Change[] = [];
  const problems: Problem[] = [...base.problems];
  const keys = await resolveKeys(host, store, wanted.keys, settings.githubApi);
  problems.push(...keys.problems);

  const naming = decideHostname(options.hostname, wanted.hostname);
  if (naming !== null) {
    changes.push(naming);
    if (!isDryRun) problems.push(...(await attempt(() => performHostname(host, naming.to))));
  }

  const accounts = decideAccounts(wanted.users, await readAccounts(host));
  changes.push(...accounts.changes);
  problems.push(...accounts.problems);
  if (!isDryRun) problems.push(...(await performAccounts(host, accounts.changes)));

  const files: WantedFile[] = [...wanted.files, ...keys.files];
  const rest = await applyFilesAndUnits(
    host,
    store,
    {...wanted, files},
    {
      isDryRun,
      keepsUnmentioned: options.incomplete || keys.problems.length > 0,
      newUsers: new Set(
        isDryRun
          ? accounts.changes.flatMap((change) => (change.kind === 'create-user' ? [change.name] : []))
          : [],
      ),
      source: base.source ?? '',
      origin: options.origin,
      userDataSha256: options.userDataSha256,
    },
  );
  return {
    ...base,
    changes: [...changes, ...rest.changes],
    problems: [...problems, ...rest.problems],
    notes: [...base.notes, ...rest.notes],
  };
}

async function attempt(action: () => Promise<void>): Promise<Problem[]> {
  try {
    await action();
    return [];
  } catch (error) {
    return [problemOf(error)];
  }
}
