/**
 * A host for caisson-cloudinit in a folder: real files, real useradd, a systemd that only keeps book, and a web server
 * of this machine in place of GitHub.
 */
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {parseArguments} from '../../update-engine/cloud-config/arguments.ts';
import type {CloudHost} from '../../update-engine/cloud-config/host.ts';
import {runCommand} from '../../update-engine/cloud-config/run.ts';
import {ExecError, type ExecResult, exec} from '../../platform/exec.ts';
import {pathExists} from '../../platform/files.ts';
import {createHttpClient} from '../../platform/http.ts';

export interface CloudRun {
  code: number;
  /** Standard output. */
  out: string;
  errors: string[];
  warnings: string[];
  infos: string[];
  /** Programs that were run and changed something, as typed. */
  commands: string[];
}

export interface TestCloudHost {
  readonly root: string;
  /** Of the web server. */
  readonly url: string;
  /** Path to answer; what is not here is 404. A number is a status. */
  readonly answers: Map<string, string | number | {redirect: string}>;
  readonly requests: string[];
  /** Units that the release has, with what they are doing. */
  readonly units: Map<string, {active: string; enabled: boolean; type: string}>;
  bootId: string;
  run(...words: string[]): Promise<CloudRun>;
  read(path: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
  exists(path: string): Promise<boolean>;
  close(): Promise<void>;
}

export async function startCloudHost(): Promise<TestCloudHost> {
  const root = await mkdtemp(join(tmpdir(), 'cloud-host-'));
  const answers: TestCloudHost['answers'] = new Map();
  const requests: string[] = [];
  const units: TestCloudHost['units'] = new Map([
    ['etcd.service', {active: 'inactive', enabled: false, type: 'notify'}],
    ['docker.service', {active: 'active', enabled: true, type: 'notify'}],
  ]);
  const masked = new Set<string>();
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const answer = answers.get(request.url ?? '') ?? 404;
    if (typeof answer === 'number') response.writeHead(answer).end('no\n');
    else if (typeof answer === 'string') response.end(answer);
    else response.writeHead(302, {location: answer.redirect}).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = createHttpClient({isDirect: true});
  const path = (name: string): string => join(root, name);
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(dirname(path(name)), {recursive: true});
    await writeFile(path(name), text);
  };
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  await write(
    '/etc/passwd',
    `root:x:${uid}:${gid}:root:/root:/bin/bash\ncore:x:${uid}:${gid}:Administrator:/home/core:/bin/bash\n`,
  );
  await write('/etc/shadow', 'root:*:1::::::\ncore:!*:1::::::\n');
  await write('/etc/group', `root:x:${gid}:\ncore:x:1000:\ndocker:x:970:core\nsudo:x:27:\n`);
  await write('/etc/gshadow', 'root:*::\ncore:!::\ndocker:!::core\nsudo:*::\n');
  await write('/etc/login.defs', 'USERGROUPS_ENAB yes\nUID_MIN 1001\nGID_MIN 1001\n');
  await write('/proc/sys/kernel/hostname', 'host1\n');
  await write('/etc/caisson/cloud-config.conf', `GITHUB_API=${url}/\n`);

  let commands: string[] = [];
  const okay: ExecResult = {stdout: '', stderr: '', exitCode: 0};

  async function systemctl(words: readonly string[]): Promise<ExecResult> {
    const [verb = ''] = words;
    const unit = words.at(-1) ?? '';
    const state = units.get(unit);
    const isThere = async (): Promise<boolean> =>
      state !== undefined ||
      (await pathExists(path(`/etc/systemd/system/${unit}`))) ||
      (await pathExists(path(`/run/systemd/system/${unit}`)));
    if (verb === 'show') {
      const load = masked.has(unit) ? 'masked' : (await isThere()) ? 'loaded' : 'not-found';
      const enabled = state?.enabled === true ? 'enabled' : 'disabled';
      return {
        ...okay,
        stdout: `Type=${state?.type ?? 'simple'}\nLoadState=${load}\nActiveState=${state?.active ?? 'inactive'}\nUnitFileState=${enabled}\n`,
      };
    }
    commands.push(['systemctl', ...words.filter((word) => word !== '--')].join(' '));
    if (verb === 'daemon-reload') return okay;
    if (!(await isThere()) && verb !== 'mask' && verb !== 'unmask')
      throw new ExecError('failed', ['systemctl', ...words], 'no such unit', {...okay, exitCode: 5});
    const known = state ?? {active: 'inactive', enabled: false, type: 'simple'};
    if (verb === 'mask') masked.add(unit);
    else if (verb === 'unmask') masked.delete(unit);
    else if (verb === 'enable' || verb === 'disable') units.set(unit, {...known, enabled: verb === 'enable'});
    else if (verb === 'stop') units.set(unit, {...known, active: 'inactive'});
    else units.set(unit, {...known, active: known.type === 'oneshot' ? 'inactive' : 'active'});
    return okay;
  }

  const fakeExec: typeof exec = async (argv, options) => {
    const [program, ...words] = argv;
    if (program === 'systemctl') return systemctl(words);
    commands.push(argv.join(' '));
    if (program === 'networkctl' || program === 'systemd-run') return okay;
    // It has no way to work on a folder without changing into it.
    if (program === 'chpasswd') {
      const [name = '', hash = ''] = String(options?.stdin ?? '')
        .trim()
        .split(/:(.*)/s);
      const shadow = await readFile(path('/etc/shadow'), 'utf8');
      await writeFile(
        path('/etc/shadow'),
        shadow.replace(new RegExp(`^${name}:[^:]*`, 'm'), () => `${name}:${hash}`),
      );
      return okay;
    }
    return exec(uid === 0 ? argv : ['unshare', '--map-root-user', ...argv], options);
  };

  const host: TestCloudHost = {
    root,
    url,
    answers,
    requests,
    units,
    bootId: 'boot-1',
    write,
    read: (name) => readFile(path(name), 'utf8'),
    exists: (name) => pathExists(path(name)),
    async run(...words) {
      commands = [];
      const result: CloudRun = {code: 0, out: '', errors: [], warnings: [], infos: [], commands: []};
      const cloudHost: CloudHost = {
        root,
        exec: fakeExec,
        getBytes: (address, options) => http.getBytes(address, options),
        sleep: () => Promise.resolve(),
        now: () => 1_700_000_000_000,
        bootId: host.bootId,
        waitForNetwork: () => Promise.resolve(),
        addresses: () =>
          Promise.resolve({
            public_ipv4: '203.0.113.5',
            private_ipv4: '10.0.0.5',
            public_ipv6: null,
            private_ipv6: null,
          }),
        note: (text) => void result.infos.push(text),
      };
      result.code = await runCommand(parseArguments(words), cloudHost, {
        out: (text) => void (result.out += text),
        error: (text) => void result.errors.push(text),
        warn: (text) => void result.warnings.push(text),
        info: (text) => void result.infos.push(text),
        stdin: () => Promise.resolve(new Uint8Array()),
      });
      result.commands = commands;
      return result;
    },
    async close() {
      await http.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(root, {recursive: true, force: true});
    },
  };
  return host;
}
