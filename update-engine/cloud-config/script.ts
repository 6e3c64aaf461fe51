/** User data that is a script: kept on the host and run in the background, once in every boot, as coreos-cloudinit did. */
import {wantsAddresses, substituteAddresses} from '../../formats/cloud-config/substitute.ts';
import type {CloudHost} from './host.ts';
import type {Outcome} from './outcome.ts';
import {type RecordStore, hashOf} from './record.ts';
import {startScript} from './systemctl.ts';

export async function applyScript(
  host: CloudHost,
  store: RecordStore,
  source: string,
  base: Outcome,
): Promise<Outcome> {
  await host.waitForNetwork();
  const {text, missing} = wantsAddresses(source)
    ? substituteAddresses(source, await host.addresses())
    : {text: source, missing: []};
  const findings = missing.map(
    ({name, line, column}) =>
      ({kind: 'error', line, column, text: `this host has no address for $${name}`}) as const,
  );
  const record = await store.read();
  const hash = hashOf(text);
  if (record.boot.id === host.bootId && record.boot.scriptSha256 === hash)
    return {...base, findings, notes: ['the script has run in this boot, and is not run again']};
  const changes = [{kind: 'run-script', bytes: Buffer.byteLength(text)}] as const;
  if (base.isDryRun) return {...base, findings, changes};
  const path = await store.writeScript(text);
  const commands = record.boot.id === host.bootId ? record.boot.commands : [];
  // Before it runs: a script that restarts the host would otherwise do so for ever.
  await store.write({
    ...record,
    source: base.source ?? '',
    appliedAt: host.now(),
    boot: {id: host.bootId, commands, scriptSha256: hash},
  });
  await startScript(host, path);
  return {
    ...base,
    findings,
    changes,
    notes: ['the script runs; its output is in journalctl --unit caisson-cloudinit-script'],
  };
}
