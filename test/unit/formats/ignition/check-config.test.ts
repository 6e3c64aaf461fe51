import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {checkIgnitionConfig} from '../../../../formats/ignition/check-config.ts';
import {unitChoices} from '../../../../formats/ignition/presets.ts';
import {MAX_IGNITION_BYTES, readCandidate} from '../../../../formats/ignition/read-config.ts';

const check = (text: string): string[] =>
  checkIgnitionConfig(Buffer.from(text), 'a.ign').map((each) => `${each.line}:${each.column} ${each.text}`);

describe('checkIgnitionConfig', () => {
  it('takes the versions that the host reads', () => {
    for (const version of ['3.0.0', '3.3.0'])
      assert.deepEqual(check(`{"ignition":{"version":"${version}"}}`), []);
    for (const version of ['2.2.0', '3.4.0', '3.4.0-experimental', ''])
      assert.throws(() => check(`{"ignition":{"version":"${version}"}}`), /this system reads 3\.0\.0/);
    assert.throws(() => check('{}'), /ignition\.version is missing/);
  });

  it('names line and column of a mistake in the JSON', () => {
    assert.throws(() => check('{\n  "ignition": {"version": "3.3.0",}\n}'), {
      code: 'not-json',
      message: 'a.ign: not JSON: unexpected "}", a key in quotes expected at line 2, column 35',
    });
    assert.throws(() => check('variant: fcos\n'), {hint: /translate/});
    assert.throws(() => check('[1]'), /no JSON object/);
    assert.throws(() => checkIgnitionConfig(Buffer.alloc(MAX_IGNITION_BYTES + 1), 'a'), {code: 'too-large'});
    assert.throws(() => checkIgnitionConfig(Buffer.from([0xff]), 'a'), {code: 'not-text'});
  });

  it('names unknown keys, repeated keys and paths, and wrong kinds', () => {
    assert.deepEqual(
      check(`{"ignition": {"version": "3.3.0"},
 "storage": {"files": [
  {"path": "/a", "modes": 420},
  {"path": "/a", "mode": "0644"}]}}`),
      [
        '3:18 unknown key storage.files[0].modes; did you mean mode?',
        '4:3 storage.files[1]: /a is in storage.files[0] already',
        '4:26 storage.files[1].mode is "0644", expected a whole number',
      ],
    );
    assert.deepEqual(check('{"ignition": {"version": "3.3.0"}, "ignition": {"version": "3.3.0"}}'), [
      '1:36 key "ignition" is there twice',
    ]);
  });
});

describe('readCandidate', () => {
  it('leaves cloud-config, scripts and nothing to others', () => {
    const kind = (text: string): string => readCandidate(Buffer.from(text), 'x').kind;
    assert.equal(kind('#cloud-config\nhostname: a\n'), 'not-ours');
    assert.equal(kind('#!/bin/sh\n'), 'not-ours');
    assert.equal(kind(' \n'), 'empty');
    assert.equal(kind('{"ignition":{"version":"3.1.0"}}'), 'ignition');
    assert.throws(() => kind('hello'), {code: 'not-json'});
  });
});

describe('unitChoices', () => {
  it('reads what Ignition wrote, instances one by one', () => {
    assert.deepEqual(unitChoices('enable a.service\n# x\n\ndisable b.timer\nenable e@.service x y\n'), [
      {verb: 'enable', unit: 'a.service'},
      {verb: 'disable', unit: 'b.timer'},
      {verb: 'enable', unit: 'e@x.service'},
      {verb: 'enable', unit: 'e@y.service'},
    ]);
  });
});
