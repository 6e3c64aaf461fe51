/**
 * User data: whatever comes in, a plan or an error of ours comes out, within bounds, and no plan has a file, user or unit
 * whose name could lead somewhere else. Besides bytes, words of YAML and of the format are put where they do not belong.
 */
import {parseCloudConfig} from '../../formats/cloud-config/parse.ts';
import {planConfig} from '../../formats/cloud-config/plan.ts';
import {UserDataError, readUserData} from '../../formats/cloud-config/user-data.ts';
import {YamlError} from '../../formats/yaml.ts';
import {CLASSIC, FULL} from '../fixtures/cloud-configs.ts';
import {mutate} from './mutate.ts';
import type {Random} from './random.ts';
import type {FuzzTarget} from './target.ts';

const WORDS = [
  ...[
    '\n',
    '\n  ',
    '\n    - ',
    ': ',
    '- ',
    '? ',
    '|\n',
    '>\n',
    '&a ',
    '*a',
    '<<: *a\n',
    '!!binary ',
    '---\n',
    '...',
  ],
  ...[
    '[',
    ']',
    '{',
    '}',
    '[[[[[[[[',
    '"',
    "'",
    '"\\x00"',
    '\t',
    '\r\n',
    '%YAML 1.1\n',
    '#',
    '\\$private_ipv4',
  ],
  ...[
    '$public_ipv6',
    '../',
    '/etc/',
    'null',
    '~',
    'yes',
    'off',
    '0644',
    '1e999',
    '0x',
    '-',
    '.inf',
    '2001-01-01',
  ],
  ...['__proto__: 1\n', 'constructor: x\n', 'users:\n', 'coreos:\n', 'etcd:\n', 'units:\n', 'write_files:\n'],
  ...[
    'encoding: gz+b64\n',
    'path: /\n',
    'name: a@b.service\n',
    'peers: a\n',
    'content: ',
    '\u0000',
    '\u2028',
    '\ufeff',
  ],
];
const ADDRESSES = {public_ipv4: '192.0.2.1', private_ipv4: '10.0.0.5', public_ipv6: null, private_ipv6: null};

export const cloudConfigTarget: FuzzTarget = {
  name: 'cloud-config',
  what: 'user data of hosts',
  prepare() {
    const samples = [Buffer.from(CLASSIC), Buffer.from(FULL)];
    return Promise.resolve((random: Random) => {
      plan(change(samples[random.below(samples.length)] ?? Buffer.alloc(0), random));
    });
  },
};

function change(document: Buffer, random: Random): Buffer {
  let bytes = random.below(3) === 0 ? mutate(document, random) : document;
  for (let left = random.below(6); left > 0; left -= 1) {
    const at = random.below(bytes.length + 1);
    const end = at + random.below(12);
    const word = Buffer.from(WORDS[random.below(WORDS.length)] ?? '');
    bytes = Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(end)]);
  }
  return bytes;
}

function plan(bytes: Buffer): void {
  try {
    const data = readUserData(bytes, 'fuzz');
    if (data.kind !== 'cloud-config') return;
    const {config, findings} = parseCloudConfig(data.text, ADDRESSES);
    const lines = data.text.split('\n').length;
    if (findings.some(({line}) => line < 0 || line > lines + 1))
      throw new Error('a finding on a line that is not there');
    const wanted = planConfig(config, {addresses: ADDRESSES, hostname: 'host', mentionsEnvironment: true});
    for (const {path, mode, owner} of wanted.files) {
      if (!/^\/(?!usr\/)[^\0\n]+$/.test(path) || /(^|\/)\.\.?(\/|$)/.test(path))
        throw new Error(`a file at ${path}`);
      if (mode < 0 || mode > 0o7777 || /\s/.test(owner)) throw new Error(`${path} for ${owner}, ${mode}`);
    }
    for (const {name} of wanted.users)
      if (!/^[a-z_][a-z0-9_-]*\$?$/.test(name)) throw new Error(`a user ${name}`);
    for (const {name} of wanted.units) if (/[\s/]|^-/.test(name)) throw new Error(`a unit ${name}`);
    for (const {user, keys} of wanted.keys)
      if (/[/\s]/.test(user) || keys.some((key) => key.includes('\n'))) throw new Error(`keys of ${user}`);
    for (const {values} of wanted.assignments)
      for (const [key, value] of values)
        if (/[\n\0]/.test(`${key}${value}`)) throw new Error(`a value of ${key}`);
  } catch (error) {
    if (!(error instanceof YamlError) && !(error instanceof UserDataError)) throw error;
  }
}
