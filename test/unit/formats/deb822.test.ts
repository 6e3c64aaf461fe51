import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {Deb822Error, parseDeb822} from '../../../formats/deb822.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

function rejects(code: string, text: string): void {
  assert.throws(
    () => parseDeb822(text),
    (error) => error instanceof Deb822Error && error.code === code,
  );
}

describe('parseDeb822', () => {
  it('splits paragraphs, joins continuations and passes over comments', () => {
    const text = `
# written by hand
Package: etcd-server
Description: store
 with two lines
# between
 .
  indented

X-Empty:
Version:  1:2.0-1\t


Package: last`;
    assert.deepEqual(
      parseDeb822(text).map((paragraph) => Object.fromEntries(paragraph)),
      [
        {Package: 'etcd-server', Description: 'store\nwith two lines\n.\n indented'},
        {'X-Empty': '', Version: '1:2.0-1'},
        {Package: 'last'},
      ],
    );
  });

  it('takes a value that begins on the second line, as Conffiles does', () => {
    assert.equal(
      parseDeb822('Conffiles:\n /etc/a 0\n /etc/b 1\n')[0]?.get('Conffiles'),
      '\n/etc/a 0\n/etc/b 1',
    );
  });

  it('finds nothing in an empty text', () => {
    assert.deepEqual(parseDeb822(''), []);
    assert.deepEqual(parseDeb822('\n\n# only this\n'), []);
  });

  it('refuses what is no field', () => {
    for (const text of [
      'Package',
      ': x',
      '-A: x',
      'A B: x',
      ' continued: x',
      'Ä: x',
      'A: x\n \t\n',
      'A: x\r\n',
      'A: \0',
    ]) {
      rejects('bad-line', text);
    }
    rejects('bad-line', 'A: x\n\n y');
    rejects('duplicate-field', 'A: x\nB: y\na: z');
  });

  it('reads back what is written', () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/);
    const line = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
    const paragraph = fc
      .uniqueArray(fc.tuple(name, fc.array(line, {minLength: 1, maxLength: 3})), {
        selector: ([key]) => key.toLowerCase(),
        minLength: 1,
        maxLength: 6,
      })
      .map((fields) => fields.map(([key, lines]) => [key, lines.join('\n')] as const));
    fc.assert(
      fc.property(fc.array(paragraph), (given) => {
        const text = given
          .map((fields) =>
            fields.map(([key, value]) => `${key}: ${value.replaceAll('\n', '\n ')}\n`).join(''),
          )
          .join('\n');
        assert.deepEqual(
          parseDeb822(text).map((found) => [...found]),
          given,
        );
      }),
    );
  });

  it('never fails in another way', () => {
    const piece = fc.constantFrom(
      '\n',
      ' ',
      ':',
      '#',
      'A',
      'b-',
      '\t',
      '\r',
      '\0',
      'é',
      '\n\n',
      'Field: x\n',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        succeedsOrThrows(Deb822Error, () => parseDeb822(pieces.join('')));
      }),
    );
  });
});
