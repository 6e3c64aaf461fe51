import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {gzipSync} from 'node:zlib';
import {substituteAddresses, wantsAddresses} from '../../../../formats/cloud-config/substitute.ts';
import {
  MAX_USER_DATA_BYTES,
  UserDataError,
  readUserData,
} from '../../../../formats/cloud-config/user-data.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';

const kindOf = (text: string): string => readUserData(Buffer.from(text), 'x').kind;
const refuses = (code: string, data: Uint8Array, hint?: RegExp): void =>
  assert.throws(
    () => readUserData(data, 'there'),
    (error) =>
      error instanceof UserDataError &&
      error.code === code &&
      error.message.startsWith('there: ') &&
      (hint === undefined || hint.test(error.hint ?? '')),
  );

describe('readUserData', () => {
  it('tells kinds by the first line', () => {
    assert.equal(kindOf('#cloud-config\nhostname: a\n'), 'cloud-config');
    assert.equal(kindOf('#cloud-config \t\r\n'), 'cloud-config');
    assert.equal(kindOf('#!/bin/sh\ntrue\n'), 'script');
    assert.equal(kindOf(' {"ignition": {"version": "3.4.0"}}'), 'ignition');
    assert.equal(kindOf('{"ignitionVersion": 1}'), 'ignition');
    assert.equal(kindOf(''), 'empty');
    assert.equal(kindOf(' \n\n'), 'empty');
  });

  it('unpacks gzip, within bounds', () => {
    const packed = gzipSync('#cloud-config\n');
    assert.equal(readUserData(packed, 'x').kind, 'cloud-config');
    refuses('too-large', gzipSync(Buffer.alloc(MAX_USER_DATA_BYTES + 1)));
    refuses('too-large', Buffer.alloc(MAX_USER_DATA_BYTES + 1, 'a'));
    refuses('not-text', packed.subarray(0, 20));
  });

  it('says how to put right what it does not know', () => {
    refuses('unknown-kind', Buffer.from('hostname: a\n'), /begin with a line #cloud-config/);
    refuses('unknown-kind', Buffer.from('# cloud-config\n'), /without blanks/);
    refuses('unknown-kind', Buffer.from('Content-Type: multipart/mixed\n'), /MIME/);
    refuses('unknown-kind', Buffer.from('{"ignition": '), /valid JSON/);
    refuses('not-text', Buffer.from([0xff, 0xfe, 0x00]));
    refuses('not-text', Buffer.from('#cloud-config\0\n'));
  });

  it('lets nothing but its own error out', () => {
    for (const sample of [Buffer.from('#cloud-config\na: b\n'), gzipSync('#cloud-config\na: b\n')])
      fc.assert(
        fc.property(damaged(sample), (data) =>
          succeedsOrThrows(UserDataError, () => readUserData(data, 'x')),
        ),
      );
  });
});

describe('substituteAddresses', () => {
  const none = {public_ipv4: null, private_ipv4: null, public_ipv6: null, private_ipv6: null};

  it('replaces what the host has, unless a backslash stands before it', () => {
    const {text, missing} = substituteAddresses(
      '$private_ipv4:$private_ipv4 \\$private_ipv4 $other \\$other',
      {
        ...none,
        private_ipv4: '10.0.0.5',
      },
    );
    assert.equal(text, '10.0.0.5:10.0.0.5 $private_ipv4 $other \\$other');
    assert.deepEqual(missing, []);
  });

  it('leaves what the host has not, and says where', () => {
    const {text, missing} = substituteAddresses('a\n# $public_ipv4\nb $public_ipv6', none);
    assert.equal(text, 'a\n# $public_ipv4\nb $public_ipv6');
    assert.deepEqual(missing, [{name: 'public_ipv6', line: 3, column: 3}]);
    assert.equal(wantsAddresses(text), true);
    assert.equal(wantsAddresses('\\$public_ipv4 $HOME'), false);
  });

  it('keeps lines as they are, whatever the text', () => {
    const piece = fc.constantFrom('$public_ipv4', '\\', '\n', '$', 'x', '$private_ipv6');
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const source = pieces.join('');
        const {text} = substituteAddresses(source, {...none, public_ipv4: '192.0.2.1'});
        assert.equal(text.split('\n').length, source.split('\n').length);
        assert.ok(!/(^|[^\\])\$public_ipv4/.test(source) || text.includes('192.0.2.1'));
      }),
    );
  });
});
