/**
 * One line of authorized_keys: checked before it decides who gets in. A line that sshd would pass over in silence is an
 * error here, and one from the network may carry nothing but a key.
 */

export type KeyLine =
  | {readonly kind: 'key'; readonly type: string; readonly line: string}
  | {readonly kind: 'bad'; readonly problem: string};

/** What OpenSSH 9 accepts (sshd(8), AUTHORIZED_KEYS FILE FORMAT), certificates left out: they are no keys of users. */
const KEY_TYPES = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
];
/** An RSA key of 16384 bits has some 2.8 kB. */
const MAX_CHARACTERS = 8192;

const bad = (problem: string): KeyLine => ({kind: 'bad', problem});

/** `options` says whether words before the key, such as `from="10.0.0.0/8"`, are allowed. */
export function readKeyLine(text: string, {options}: {options: boolean}): KeyLine {
  const line = text.trim();
  if (line.length > MAX_CHARACTERS) return bad(`longer than ${MAX_CHARACTERS} characters`);
  if (/\p{Cc}/u.test(line.replaceAll('\t', ' '))) return bad('a line break or control character in it');
  if (/PRIVATE KEY/.test(line)) return bad('a private key; only public ones belong here');
  const key = options ? skipOptions(line) : line;
  const [, type = '', blob = ''] = /^(\S+)[ \t]+(\S+)/.exec(key) ?? [];
  if (!KEY_TYPES.includes(type)) {
    if (/^ssh-dss\s/.test(line)) return bad('a DSA key, which sshd does not accept any more');
    return bad(`no public key of a known type, such as ssh-ed25519 AAAA... name`);
  }
  return holdsType(blob, type)
    ? {kind: 'key', type, line}
    : bad(`${type} is not followed by such a key in base64`);
}

/** The options end at the first blank outside of quotes; a line that begins with a type has none. */
function skipOptions(line: string): string {
  if (KEY_TYPES.includes(/^\S*/.exec(line)?.[0] ?? '')) return line;
  return line.replace(/^(?:[^\s"]|"(?:[^"\\]|\\.)*")+[ \t]+/, '');
}

/** RFC 4253, 6.6: the data begins with the type once more, with its length in four bytes. */
function holdsType(blob: string, type: string): boolean {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(blob)) return false;
  const data = Buffer.from(blob, 'base64');
  if (data.toString('base64').replaceAll('=', '') !== blob.replaceAll('=', '')) return false;
  let at = 0;
  let first = '';
  let strings = 0;
  while (at + 4 <= data.length) {
    const length = data.readUInt32BE(at);
    const end = at + 4 + length;
    if (end > data.length) return false;
    if (strings === 0) first = data.toString('latin1', at + 4, end);
    strings += 1;
    at = end;
  }
  return at === data.length && strings >= 2 && first === type;
}
