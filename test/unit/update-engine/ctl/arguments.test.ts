import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {UsageError, parseCommand} from '../../../../update-engine/ctl/arguments.ts';
import {helpText} from '../../../../update-engine/ctl/help.ts';

const parse = (line: string) => parseCommand(line === '' ? [] : line.split(' '));

describe('parseCommand', () => {
  const good: [string, object][] = [
    ['', {name: 'status', isFull: false, asJson: false}],
    ['--json', {name: 'status', isFull: false, asJson: true}],
    ['status --explain', {name: 'status', isFull: true, asJson: false}],
    ['check', {name: 'check', asJson: false}],
    ['update', {name: 'update', version: null, payload: null, waits: true}],
    ['update --version 1.2.3 --no-wait', {name: 'update', version: '1.2.3', payload: null, waits: false}],
    ['update --payload=x.payload', {name: 'update', version: null, payload: 'x.payload', waits: true}],
    ['rollback', {name: 'rollback'}],
    ['mark-good', {name: 'mark-good'}],
    ['deny', {name: 'deny-list', asJson: false}],
    ['deny add 1.2.3', {name: 'deny-add', version: '1.2.3', reason: 'denied by an operator'}],
    ['deny add 1.2.3 --reason slow', {name: 'deny-add', version: '1.2.3', reason: 'slow'}],
    ['deny remove 1.2.3', {name: 'deny-remove', version: '1.2.3'}],
    ['--help', {name: 'help', topic: null}],
    ['help update', {name: 'help', topic: 'update'}],
    ['deny add --help', {name: 'help', topic: 'deny add'}],
  ];
  for (const [line, command] of good) {
    it(`reads "${line}"`, () => {
      assert.deepEqual(parse(line), command);
    });
  }

  const bad: [string, RegExp][] = [
    ['frobnicate', /no command frobnicate/],
    ['toString', /no command toString/],
    ['status now', /does not take now/],
    ['rollback --json', /rollback takes no --json/],
    ['update --version 1.2', /1\.2 is no version/],
    ['update --version 1.2.3 --payload x', /exclude each other/],
    ['deny add', /name a version/],
    ['deny add 1.2.3 1.2.4', /does not take 1\.2\.4/],
    ['deny frob', /no command deny frob/],
    ['--frob', /--frob/],
    ['update --version', /version/],
  ];
  for (const [line, message] of bad) {
    it(`refuses "${line}"`, () => {
      assert.throws(
        () => parse(line),
        (error) => error instanceof UsageError && message.test(error.message) && error.hint !== undefined,
      );
    });
  }

  it('has a text for every command', () => {
    for (const name of ['status', 'update', 'rollback', 'reset', 'mark-good', 'deny add'])
      assert.match(helpText(name), new RegExp(`^usage: caissonctl ${name.split(' ')[0] ?? ''}`));
    assert.match(helpText(null), /Exit codes/);
    assert.equal(helpText('constructor'), helpText(null));
  });
});
