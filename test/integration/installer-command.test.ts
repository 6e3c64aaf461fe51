/**
 * caisson-install as the one file that a release has for other systems, run as an operator runs it, on image files: what
 * it installs is judged by sgdisk, fsck.vfat and e2fsck, and what it refuses or gives up is no disk that boots.
 */
import assert from 'node:assert/strict';
import {type KeyObject, createHash, generateKeyPairSync} from 'node:crypto';
import {chmod, copyFile, mkdir, mkdtemp, open, readFile, rm, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {pathToFileURL} from 'node:url';
import {bundleProgram} from '../../build/bundle.ts';
import {packInstaller} from '../../build/installer.ts';
import {MIB} from '../../formats/units.ts';
import {PAYLOAD_FILE, makePayload} from '../../payload/make.ts';
import {type ExecResult, exec} from '../../platform/exec.ts';
import {silentLog} from '../../platform/log.ts';
import {exportChannels} from '../../server/channel-metadata/export.ts';
import {promoteRelease} from '../../server/channel-file.ts';
import {openReleaseFolder} from '../../server/releases.ts';
import {serveReleases} from '../../server/serve.ts';
import {minimumDiskBytes} from '../../update-engine/installer/plan.ts';
import {startAnswers} from '../support/answer-server.ts';
import {startBadServer} from '../support/bad-server.ts';
import {offerAnswer} from '../support/omaha-offer.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {writeSmallRelease} from '../support/small-disk.ts';
import {CHANNEL_KEY, DAY_MS} from '../support/channel.ts';
import {skipWithout} from '../support/tool.ts';
import {peFile} from '../support/uki-file.ts';

const skip =
  (await skipWithout(['mkfs.ext4', 'e2fsck', 'debugfs'], 'e2fsprogs')) ||
  (await skipWithout(['sgdisk'], 'gdisk')) ||
  (await skipWithout(['fsck.vfat'], 'dosfstools'));
const DISK_BYTES = minimumDiskBytes() + 10 * MIB;
const pemOf = (key: KeyObject): string => key.export({type: 'spki', format: 'pem'}).toString();
const SELECTOR = peFile([['.text', 'selector']]);

describe('the installer in one file', {skip}, () => {
  let folder: string;
  let installer: string;
  let payload: string;
  let otherKey: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'installer-'));
    const {privateKey, publicKey} = generateKeyPairSync('rsa', {modulusLength: 2048});
    const pem = pemOf(publicKey);
    const program = await bundleProgram(join(ROOT_DIR, 'update-engine/installer/main.ts'), ROOT_DIR, {
      hashbang: '#!/usr/bin/node',
    });
    installer = join(folder, 'caisson-install.mjs');
    await writeFile(
      installer,
      packInstaller({
        program: Buffer.from(program).toString(),
        selector: SELECTOR,
        keys: [{name: 'update', pem}],
        channelKeys: [{name: 'channel', pem: pemOf(CHANNEL_KEY.publicKey)}],
      }),
    );
    await chmod(installer, 0o755);
    const directory = join(folder, 'release');
    const release = await writeSmallRelease(directory);
    payload = join(folder, 'update.payload');
    await makePayload({
      ...{directory, release, out: payload, signing: {kind: 'keys', privateKeys: [privateKey]}},
      ...{jobs: 1, effort: 'quick', signal: new AbortController().signal, log: silentLog},
    });
    otherKey = join(folder, 'other.pub.pem');
    const other = generateKeyPairSync('rsa', {modulusLength: 2048}).publicKey;
    await writeFile(otherKey, pemOf(other));
  });
  after(() => rm(folder, {recursive: true, force: true}));

  async function emptyDisk(name: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, '');
    await truncate(path, DISK_BYTES);
    return path;
  }

  function run(...words: string[]): Promise<ExecResult> {
    return exec([process.execPath, installer, ...words], {okCodes: [0, 1, 2, 3, 130], timeoutMs: 300_000});
  }

  /** Whether there is any partition table, protective sector or file system where one would be looked for. */
  async function isBlank(disk: string): Promise<boolean> {
    const file = await open(disk, 'r');
    try {
      const [first, last] = [Buffer.alloc(64 * 1024), Buffer.alloc(64 * 1024)];
      await file.read(first, 0, first.length, 0);
      await file.read(last, 0, last.length, DISK_BYTES - last.length);
      return [...first, ...last].every((byte) => byte === 0);
    } finally {
      await file.close();
    }
  }

  /** With the release, which channel beta points to. */
  async function servedFolder(name: string, signal: AbortSignal): Promise<string> {
    const dir = join(folder, name);
    const served = join(dir, '1.2.3', PAYLOAD_FILE);
    await mkdir(dirname(served), {recursive: true});
    await copyFile(payload, served);
    await copyFile(join(folder, 'release/release.json'), join(dir, '1.2.3/release.json'));
    const offer = {version: '1.2.3', channel: 'beta', allowDowngrade: false, at: 0} as const;
    await promoteRelease(dir, openReleaseFolder(dir), offer, signal);
    return dir;
  }

  async function cut(disk: string, firstMib: number, mib: number, to: string): Promise<string> {
    const path = join(folder, to);
    const place = [`skip=${firstMib}`, `count=${mib}`, 'bs=1M', 'conv=sparse'];
    await exec(['dd', `if=${disk}`, `of=${path}`, ...place, 'status=none']);
    return path;
  }

  for (const sectorSize of ['512', '4096'])
    it(`installs a disk with sectors of ${sectorSize}, config and OEM`, async () => {
      const disk = await emptyDisk(`disk-${sectorSize}.raw`);
      const [config, oem] = [join(folder, 'config.ign'), join(folder, 'oem')];
      await writeFile(config, '{"ignition": {"version": "3.3.0"}}');
      await mkdir(join(oem, 'sub'), {recursive: true});
      await writeFile(join(oem, 'sub/file'), 'of the platform');
      const words = ['-d', disk, '-f', payload, '-i', config, '-o', oem, '--sector-size', sectorSize];
      const {stdout, stderr, exitCode} = await run(...words, '--json');
      assert.equal(exitCode, 0, stderr);
      const said = JSON.parse(stdout) as {version: string; sectorSize: number; diskGuid: string};
      assert.deepEqual([said.version, said.sectorSize], ['1.2.3', Number(sectorSize)]);
      if (sectorSize === '512') {
        const {stdout: verdict} = await exec(['sgdisk', '--verify', '--print', disk]);
        assert.match(verdict, /No problems found/);
        assert.match(verdict.toLowerCase(), new RegExp(said.diskGuid));
      }
      await exec(['fsck.vfat', '-n', await cut(disk, 1, 1024, 'esp.img')]);
      const oemImage = await cut(disk, 5121, 128, 'oem.img');
      await exec(['e2fsck', '-fn', oemImage]);
      const contentOf = async (path: string): Promise<string> =>
        (await exec(['debugfs', '-R', `cat ${path}`, oemImage])).stdout;
      assert.equal(await contentOf('/config.ign'), await readFile(config, 'utf8'));
      assert.equal(await contentOf('/sub/file'), 'of the platform');
      const {stdout: mode} = await exec(['debugfs', '-R', 'stat /config.ign', oemImage]);
      assert.match(mode, /Mode: +0600/);
      await rm(oem, {recursive: true});
    });

  it('takes a channel or a version from the release server, and leaves word of it on OEM', async (t) => {
    const dir = await servedFolder('served', t.signal);
    const server = await serveReleases({
      ...{dir, host: '127.0.0.1', port: 0, tls: null, publicUrl: null},
      ...{now: () => Date.now(), onLine: () => undefined, onAccess: () => undefined},
    });
    t.after(() => server.close(0));
    const url = `${server.url}/v1/update/`;
    const disk = await emptyDisk('served.raw');
    const nothing = await run('-d', disk, '-s', url, '-C', 'stable');
    assert.equal(nothing.exitCode, 3, nothing.stderr);
    assert.match(nothing.stderr, /has nothing in channel stable/);
    const other = await run('-d', disk, '-s', url, '-C', 'beta', '-V', '1.2.2');
    assert.equal(other.exitCode, 3, other.stderr);
    assert.match(other.stderr, /has no 1\.2\.2 in channel beta/);
    assert.ok(await isBlank(disk));
    const {exitCode, stderr} = await run('-d', disk, '-s', url, '-C', 'beta', '-V', '1.2.3', '-o', 'metal');
    assert.equal(exitCode, 0, stderr);
    const oemImage = await cut(disk, 5121, 128, 'oem.img');
    for (const [path, content] of [
      ['/update.conf', `SERVER=${url}\nGROUP=beta\n`],
      ['/oem-release', 'ID=metal\n'],
    ]) {
      const {stdout} = await exec(['debugfs', '-R', `cat ${path}`, oemImage]);
      assert.equal(stdout, content);
    }
  });

  it('takes a channel from a folder of files, as far as its signature holds', async (t) => {
    const from = await servedFolder('to-export', t.signal);
    const site = join(folder, 'site');
    const exportAt = (ageMs: number): Promise<unknown> =>
      exportChannels({
        ...{from, to: site, channels: ['beta'], releases: openReleaseFolder(from)},
        ...{keys: [CHANNEL_KEY.privateKey], settings: {lifetimeMs: 7 * DAY_MS, refreshMs: DAY_MS}},
        ...{spreadSeconds: 3600, allowDowngrade: false, prune: false, signal: t.signal},
        ...{vouch: () => Promise.resolve(), onLine: () => undefined, now: () => Date.now() - ageMs},
      });
    await exportAt(8 * DAY_MS);
    const disk = await emptyDisk('from-folder.raw');
    const server = `static+${pathToFileURL(site).href}/`;
    const install = (...words: string[]): Promise<ExecResult> =>
      run('-d', disk, '-s', server, '-C', 'beta', ...words);
    const old = await install();
    assert.equal(old.exitCode, 3, old.stderr);
    assert.match(old.stderr, /has not been signed anew/);
    await exportAt(0);
    const stranger = await install('--channel-key', otherKey);
    assert.equal(stranger.exitCode, 1, stranger.stderr);
    assert.match(stranger.stderr, /beta\.json: .*(trust|key)/);
    const other = await install('-V', '1.2');
    assert.equal(other.exitCode, 3, other.stderr);
    assert.match(other.stderr, /has no 1\.2$/m);
    assert.ok(await isBlank(disk));
    const {exitCode, stderr} = await install('-V', '1.2.3');
    assert.equal(exitCode, 0, stderr);
    const oemImage = await cut(disk, 5121, 128, 'oem-of-folder.img');
    const {stdout: conf} = await exec(['debugfs', '-R', 'cat /update.conf', oemImage]);
    assert.equal(conf, `SERVER=${server}\nGROUP=beta\n`);
  });

  it('goes to the next address when one does not have the payload', async (t) => {
    const bytes = await readFile(payload);
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - 5000] = (bytes[bytes.length - 5000] ?? 0) ^ 1;
    const [bad, good] = [await startBadServer(damaged), await startBadServer(bytes)];
    t.after(() => Promise.all([bad.close(), good.close()]));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const offer = {version: '1.2.3', bytes: bytes.length, sha256};
    const answers = await startAnswers(t, {
      '/right/': offerAnswer({...offer, urls: [bad.url, good.url]}),
      '/wrong/': offerAnswer({...offer, urls: [bad.url, bad.url]}),
    });
    const disk = await emptyDisk('mirrors.raw');
    const {exitCode, stderr} = await run('-d', disk, '-s', `${answers.url}/right/`, '-C', 'beta');
    assert.equal(exitCode, 0, stderr);
    assert.ok(stderr.includes(`; again, from ${good.url}`), stderr);
    assert.equal(await isBlank(disk), false);
    const none = await run('-d', disk, '-s', `${answers.url}/wrong/`, '-C', 'beta');
    assert.equal(none.exitCode, 1, none.stderr);
    assert.match(none.stderr, /The disk does not boot now/);
    assert.ok(await isBlank(disk));
  });

  it('makes other identifiers for each disk', async () => {
    const guids = new Set<string>();
    for (const name of ['one.raw', 'two.raw']) {
      const {stdout} = await run('-d', await emptyDisk(name), '-f', payload, '--json');
      guids.add((JSON.parse(stdout) as {diskGuid: string}).diskGuid);
    }
    assert.equal(guids.size, 2);
  });

  it('writes nothing for a key that it does not trust, a bad config, or a dry run', async () => {
    const disk = await emptyDisk('untouched.raw');
    const config = join(folder, 'bad.ign');
    await writeFile(config, '{"ignition": {"version": "3.3.0"},\n "storage": {"flies": []}}');
    const untrusted = await run('-d', disk, '-f', payload, '-k', otherKey);
    assert.equal(untrusted.exitCode, 1);
    assert.match(untrusted.stderr, /trust/);
    const bad = await run('-d', disk, '-f', payload, '-i', config);
    assert.equal(bad.exitCode, 3, bad.stderr);
    assert.match(bad.stderr, /bad\.ign:2:\d+: .*flies/);
    const dry = await run('-d', disk, '-f', payload, '-y');
    assert.equal(dry.exitCode, 0, dry.stderr);
    const small = join(folder, 'small.raw');
    await writeFile(small, '');
    await truncate(small, 1 << 30);
    assert.equal((await run('-d', small, '-f', payload)).exitCode, 3);
    assert.ok(await isBlank(disk));
    assert.doesNotMatch(`${untrusted.stderr}${bad.stderr}`, /does not boot/);
  });

  it('leaves no disk that boots when the payload turns out to be bad, and says so', async () => {
    const disk = await emptyDisk('damaged.raw');
    await run('-d', disk, '-f', payload);
    assert.equal(await isBlank(disk), false);
    const damaged = join(folder, 'damaged.payload');
    const bytes = await readFile(payload);
    // In the last blob, behind what was signed as metadata.
    bytes[bytes.length - 5000] = (bytes[bytes.length - 5000] ?? 0) ^ 1;
    await writeFile(damaged, bytes);
    const {exitCode, stderr} = await run('-d', disk, '-f', damaged);
    assert.equal(exitCode, 1);
    assert.match(stderr, /The disk does not boot now/);
    assert.ok(await isBlank(disk));
  });
});
