/** A first boot with a fake Ignition: what is called in which order, and what is left when it fails. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {type TestContext, describe, it} from 'node:test';
import {ExecError} from '../../../../platform/exec.ts';
import {keepFailure} from '../../../../update-engine/ignition/failure.ts';
import type {FirstBootHost} from '../../../../update-engine/ignition/host.ts';
import {IGNITION_PATHS} from '../../../../update-engine/ignition/paths.ts';
import {configureFirstBoot, deviceNumber} from '../../../../update-engine/ignition/run.ts';
import {findConfig} from '../../../../update-engine/ignition/sources.ts';

const FIRMWARE = `${IGNITION_PATHS.firmware}/opt/com.coreos/config/raw`;
const CONFIG = '{"ignition":{"version":"3.3.0"}}';

interface World {
  host: FirstBootHost;
  calls: string[];
}

async function world(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  ignition: (stage: string, root: string) => Promise<void> = fetches,
): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'first-boot-'));
  t.after(() => rm(root, {recursive: true, force: true}));
  const all = {
    [IGNITION_PATHS.commandLine]: 'quiet',
    [`${IGNITION_PATHS.marker}/x`]: '',
    '/etc/x': '',
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    await mkdir(dirname(join(root, path)), {recursive: true});
    await writeFile(join(root, path), text);
  }
  const calls: string[] = [];
  const host: FirstBootHost = {
    root,
    async exec(argv, options) {
      const stage = argv.find((word) => word.startsWith('--stage='))?.slice('--stage='.length);
      const words = argv.filter((word) => !word.startsWith('--root='));
      calls.push(stage ?? words.join(' ').replaceAll(root, ''));
      try {
        if (stage !== undefined) await ignition(stage, root);
      } catch (error) {
        for (const line of (error as Error).message.split('\n')) options?.onLine?.(line);
        throw new ExecError('failed', argv, 'command failed', {exitCode: 1, stderr: '', stdout: ''});
      }
      return {stdout: '', stderr: '', exitCode: 0};
    },
    note: () => undefined,
    show: () => undefined,
    now: () => 1_760_000_000_000,
    // A turn of the event loop: what waits beside a stage must not keep it from its work.
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
  };
  return {host, calls};
}

async function fetches(stage: string, root: string): Promise<void> {
  if (stage === 'fetch-offline') await writeFile(join(root, IGNITION_PATHS.merged), CONFIG);
  if (stage !== 'files') return;
  await mkdir(join(root, dirname(IGNITION_PATHS.presets)), {recursive: true});
  await writeFile(join(root, IGNITION_PATHS.presets), 'enable a.service\ndisable b.timer\n');
}

const markersOf = async (root: string): Promise<string[]> =>
  (await readdir(root)).filter((name) => name.startsWith('.caisson'));

describe('configureFirstBoot', () => {
  it('runs the stages, enables units, writes a record, and ends the first boot last', async (t) => {
    const {host, calls} = await world(t, {[FIRMWARE]: CONFIG});
    await configureFirstBoot(host);
    assert.deepEqual(calls, [
      'mount --rbind --make-rprivate / /run/caisson/root',
      'fetch-offline',
      'disks',
      'mount',
      'systemd-tmpfiles --create --prefix=/etc --prefix=/home --prefix=/mnt --prefix=/opt --prefix=/root --prefix=/srv --prefix=/var',
      'files',
      'systemctl enable a.service',
      'systemctl disable b.timer',
      'umount',
      'sync --file-system /',
    ]);
    assert.deepEqual(await markersOf(host.root), []);
    const record = JSON.parse(await readFile(join(host.root, IGNITION_PATHS.record), 'utf8')) as object;
    assert.equal((record as {source: string}).source, 'fw_cfg opt/com.coreos/config');
    await assert.rejects(readFile(join(host.root, IGNITION_PATHS.merged)), {code: 'ENOENT'});
    await assert.rejects(readFile(join(host.root, '/etc/selinux/config')), {code: 'ENOENT'});
  });

  it('keeps the marker, and the note that it had begun, when a stage fails', async (t) => {
    const {host} = await world(t, {[FIRMWARE]: CONFIG}, async (stage, root) => {
      await fetches(stage, root);
      if (stage === 'disks') throw new Error('INFO     : disks: op(1)\nCRITICAL : disks: no device /dev/vdx');
    });
    await assert.rejects(configureFirstBoot(host), {
      message: 'Ignition failed in its stage disks\n  disks: no device /dev/vdx',
    });
    assert.deepEqual(await readdir(join(host.root, IGNITION_PATHS.marker)), ['begun', 'x']);
  });

  it('takes away what an earlier try made on disks of their own, and nothing else', async (t) => {
    const config = '{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/d/a"},{"path":"/d/b"}]}}';
    const {target, ours, failure} = IGNITION_PATHS;
    let tries = 0;
    const {host} = await world(t, {[FIRMWARE]: config, [`${target}/d/b`]: 'theirs'}, async (stage, root) => {
      if (stage === 'fetch-offline') await writeFile(join(root, IGNITION_PATHS.merged), config);
      if (stage !== 'files') return;
      tries += 1;
      await assert.rejects(readFile(join(root, target, 'd/a')), {code: 'ENOENT'});
      assert.equal(await readFile(join(root, target, 'd/b'), 'utf8'), 'theirs');
      await writeFile(join(root, target, 'd/a'), 'ours');
      if (tries === 1) throw new Error('CRITICAL : the server is gone');
    });
    const notes: string[] = [];
    host.note = (text) => void notes.push(text);
    const error = await configureFirstBoot(host).catch((thrown: unknown) => thrown as Error);
    assert.equal(await readFile(join(host.root, ours), 'utf8'), '["/d/a"]');
    await keepFailure(String(error), host);
    assert.match(await readFile(join(host.root, failure), 'utf8'), /^2025-.*the server is gone/s);
    await configureFirstBoot(host);
    assert.equal(tries, 2);
    assert.ok(notes.some((text) => /an earlier try failed: .*the server is gone/s.test(text)));
    assert.deepEqual(await markersOf(host.root), []);
  });

  it('refuses what this system does not do before anything is changed', async (t) => {
    const raid = '{"ignition":{"version":"3.3.0"},"storage":{"raid":[{"name":"a"}]}}';
    const {host, calls} = await world(t, {[FIRMWARE]: raid}, (_stage, root) =>
      writeFile(join(root, IGNITION_PATHS.merged), raid),
    );
    await assert.rejects(configureFirstBoot(host), /no mdadm/);
    assert.deepEqual(calls.slice(1), ['fetch-offline']);
    assert.deepEqual(await readdir(join(host.root, IGNITION_PATHS.marker)), ['x']);
  });

  it('brings the network up for a config that has to be fetched, and takes it down', async (t) => {
    const {host, calls} = await world(
      t,
      {
        [IGNITION_PATHS.commandLine]: 'quiet ignition.config.url=https://example.org/a.ign',
        '/sys/class/net/eth0/x': '',
      },
      async (stage, root) => {
        if (stage === 'fetch-offline') await writeFile(join(root, IGNITION_PATHS.needsNetwork), '');
        if (stage === 'fetch') await writeFile(join(root, IGNITION_PATHS.merged), CONFIG);
      },
    );
    await configureFirstBoot(host);
    const names = calls.map((call) => call.split(' ').slice(0, 3).join(' '));
    const [start, stop] = ['start', 'stop'].map((verb) =>
      names.indexOf(`systemctl ${verb} caisson-first-boot-network.service`),
    );
    assert.ok((start ?? -1) > 0 && (start ?? 0) < names.indexOf('fetch'));
    assert.ok((stop ?? -1) > names.indexOf('umount'));
    assert.ok(calls.includes('ip link set eth0 down'));
  });

  it('shows the journal of a network that does not start', async (t) => {
    const {host} = await world(
      t,
      {[IGNITION_PATHS.commandLine]: 'ignition.config.url=http://a/'},
      async (_stage, root) => writeFile(join(root, IGNITION_PATHS.needsNetwork), ''),
    );
    const passOn = host.exec.bind(host);
    host.exec = (argv, options) => {
      const output = {exitCode: 1, stderr: '', stdout: ''};
      if (argv[0] === 'journalctl')
        return Promise.resolve({...output, exitCode: 0, stdout: 'no permission\n'});
      if (argv[0] === 'systemctl')
        return Promise.reject(new ExecError('failed', argv, 'command failed', output));
      return passOn(argv, options);
    };
    await assert.rejects(configureFirstBoot(host), {message: 'the network does not start\nno permission'});
  });

  it('only ends the first boot of a host without a config', async (t) => {
    const {host, calls} = await world(t, {[FIRMWARE]: '#cloud-config\n'});
    await configureFirstBoot(host);
    assert.deepEqual(calls, ['sync --file-system /']);
    assert.deepEqual(await markersOf(host.root), []);
  });
});

describe('findConfig', () => {
  it('takes the first source, and stops at one that is no config', async (t) => {
    const where = async (files: Record<string, string>): Promise<string | undefined> =>
      (await findConfig((await world(t, files)).host))?.where;
    const {commandLine, credential, oem} = IGNITION_PATHS;
    const others = {[credential]: CONFIG, [oem]: CONFIG};
    assert.equal(await where({[FIRMWARE]: CONFIG, ...others}), 'fw_cfg opt/com.coreos/config');
    assert.equal(await where({[FIRMWARE]: '#!/bin/sh\n', ...others}), 'credential caisson.ignition');
    assert.equal(await where({[oem]: CONFIG}), 'config.ign of the OEM partition');
    assert.equal(await where({[commandLine]: 'ignition.platform.id=openstack'}), 'platform openstack');
    assert.equal(await where({[commandLine]: 'ignition.platform.id=qemu'}), undefined);
    await assert.rejects(where({[FIRMWARE]: 'hello', ...others}), {code: 'not-json'});
    await assert.rejects(where({[commandLine]: 'ignition.config.url=ftp://a'}), /no address/);
  });
});

describe('deviceNumber', () => {
  it('takes a device number apart', () => {
    assert.equal(deviceNumber(0xfe05), '254:5');
    assert.equal(deviceNumber(0x10_0803), '8:259');
  });
});
