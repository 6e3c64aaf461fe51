import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {decodeSha256Sums, encodeSha256Sums, Sha256SumsError} from '../../../formats/sha256sums.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

function rejects(code: string, action: () => unknown): void {
  assert.throws(action, (error) => error instanceof Sha256SumsError && error.code === code);
}

describe('encodeSha256Sums', () => {
  it('sorts by name and escapes as sha256sum does', () => {
    const sums = [
      {name: 'z', sha256: A},
      {name: 'a\\b\nc\rd', sha256: B},
    ];
    assert.equal(encodeSha256Sums(sums), `\\${B}  a\\\\b\\nc\\rd\n${A}  z\n`);
    assert.equal(encodeSha256Sums([]), '');
  });

  it('refuses what has no line', () => {
    rejects('bad-name', () => encodeSha256Sums([{name: '', sha256: A}]));
    rejects('bad-name', () => encodeSha256Sums([{name: 'a\0', sha256: A}]));
    rejects('bad-digest', () => encodeSha256Sums([{name: 'a', sha256: A.toUpperCase()}]));
    rejects('duplicate-name', () =>
      encodeSha256Sums([
        {name: 'a', sha256: A},
        {name: 'a', sha256: B},
      ]),
    );
  });
});

describe('decodeSha256Sums', () => {
  it('takes both modes and keeps spaces of names', () => {
    assert.deepEqual(decodeSha256Sums(`${A} *disk.raw\n${B}   two spaces \n`), [
      {name: 'disk.raw', sha256: A},
      {name: ' two spaces ', sha256: B},
    ]);
  });

  it('refuses other forms', () => {
    const bad = [
      `${A}  x`,
      `${A} x\n`,
      `${A}  \n`,
      `${A.slice(1)}  x\n`,
      `${A.toUpperCase()}  x\n`,
      '\n',
      '# x\n',
    ];
    for (const text of [...bad, `\\${A}  x\n`, `\\${A}  x\\t\n`, `\\${A}  x\\\n`]) {
      rejects('bad-line', () => decodeSha256Sums(text));
    }
    rejects('duplicate-name', () => decodeSha256Sums(`${A}  x\n${B}  x\n`));
    rejects('too-large', () => decodeSha256Sums(' '.repeat(2 ** 20 + 1)));
  });

  it('reads back what is written', () => {
    const name = fc.string({minLength: 1, unit: fc.constantFrom('a', '\\', '\n', '\r', ' ', '*', 'é', '/')});
    const sums = fc.uniqueArray(name).map((names) => names.map((one) => ({name: one, sha256: A})));
    fc.assert(
      fc.property(sums, (given) => {
        const byName = (x: {name: string}, y: {name: string}): number =>
          Buffer.compare(Buffer.from(x.name), Buffer.from(y.name));
        assert.deepEqual(decodeSha256Sums(encodeSha256Sums(given)), [...given].sort(byName));
      }),
    );
  });

  it('never fails in another way', () => {
    const piece = fc.constantFrom(A, ' ', '  ', '\n', '\\', '*', 'x', '\0');
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        succeedsOrThrows(Sha256SumsError, () => decodeSha256Sums(pieces.join('')));
      }),
    );
  });
});
