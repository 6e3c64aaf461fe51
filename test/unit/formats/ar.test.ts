import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {AR_HEADER_BYTES, AR_MAGIC, ArError, listArMembers, parseArHeader} from '../../../formats/ar.ts';
import {damaged, fc, succeedsOrThrows} from '../../support/property.ts';

function member(name: string, data: string): Buffer {
  const head = `${name.padEnd(16)}${'1700000000'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`;
  return Buffer.from(
    `${head}${String(data.length).padEnd(10)}\`\n${data}${data.length % 2 === 0 ? '' : '\n'}`,
  );
}

const DEB = Buffer.concat([
  Buffer.from(AR_MAGIC),
  member('debian-binary', '2.0\n'),
  member('control.tar.xz/', 'odd'),
  member('data.tar.xz', ''),
]);

function rejects(code: string, bytes: Uint8Array): void {
  assert.throws(
    () => listArMembers(bytes),
    (error) => error instanceof ArError && error.code === code,
  );
}

describe('listArMembers', () => {
  it('tells where the data lie, past the padding of odd sizes', () => {
    assert.deepEqual(listArMembers(DEB), [
      {name: 'debian-binary', offset: 68, size: 4, next: 72},
      {name: 'control.tar.xz', offset: 132, size: 3, next: 136},
      {name: 'data.tar.xz', offset: 196, size: 0, next: 196},
    ]);
  });

  it('takes columns that touch each other', () => {
    const header = Buffer.from(`${'x'.repeat(16)}1700000000  123456123456100644  9999999999\`\n`);
    assert.equal(parseArHeader(header, 0).size, 9_999_999_999);
  });

  it('refuses other formats, long names and missing bytes', () => {
    rejects('bad-magic', Buffer.from('!<thin>\n'));
    rejects('bad-magic', new Uint8Array());
    rejects('truncated', DEB.subarray(0, AR_MAGIC.length + AR_HEADER_BYTES - 1));
    rejects('truncated', DEB.subarray(0, 70));
    rejects('truncated', DEB.subarray(0, 135));
    for (const name of ['//', '/12', '#1/20', '/']) {
      rejects('unsupported', Buffer.concat([Buffer.from(AR_MAGIC), member(name, '')]));
    }
    rejects('bad-header', Buffer.concat([Buffer.from(AR_MAGIC), member('a b', '')]));
    rejects('bad-header', Buffer.from(DEB.toString('latin1').replace('100644', '10x644'), 'latin1'));
    const many = Array.from({length: 33}, () => member('m', ''));
    rejects('too-many', Buffer.concat([Buffer.from(AR_MAGIC), ...many]));
  });

  it('never fails in another way on damaged bytes', () => {
    fc.assert(
      fc.property(damaged(DEB), (bytes) => {
        succeedsOrThrows(ArError, () => listArMembers(bytes));
      }),
    );
  });
});
