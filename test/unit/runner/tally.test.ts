import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {Tally, type TestEvent} from '../../runner/tally.ts';

const FILE = '/t/a.test.ts';

function event(name: string, nesting = 0, more: Partial<TestEvent> = {}): TestEvent {
  return {file: FILE, name, nesting, details: {duration_ms: 1500}, ...more};
}

function failed(name: string, nesting: number, failureType: string, cause?: unknown): TestEvent {
  const error = Object.assign(new Error(`runner: ${name}`, {cause}), {failureType});
  return event(name, nesting, {details: {duration_ms: 1, error}});
}

describe('Tally', () => {
  it('counts leaves, not the suites and tests that hold them', () => {
    const tally = new Tally();
    tally.passedOne(event('leaf', 1));
    tally.passedOne(event('inner leaf', 2));
    tally.planned({file: FILE, nesting: 2});
    tally.passedOne(event('inner', 1));
    tally.planned({file: FILE, nesting: 1});
    tally.passedOne(event('outer'));
    tally.passedOne(event('empty suite', 0, {details: {type: 'suite', duration_ms: 0}}));
    tally.passedOne(event('alone'));
    assert.equal(tally.passed, 3);
    assert.deepEqual(tally.failures, []);
  });

  it('names a failure by its parents and keeps what the test threw', () => {
    const tally = new Tally();
    tally.started(event('suite'));
    tally.started(event('other', 1));
    tally.started(event('broken', 1));
    tally.failedOne(failed('broken', 1, 'testCodeFailure', 'boo'));
    tally.planned({file: FILE, nesting: 1});
    tally.failedOne(failed('suite', 0, 'subtestsFailed'));
    assert.deepEqual(tally.failures, [{file: FILE, name: 'suite > broken', message: 'boo'}]);
  });

  it("counts a suite's own failure", () => {
    const tally = new Tally();
    tally.planned({file: FILE, nesting: 1});
    tally.failedOne(failed('suite', 0, 'hookFailed', new Error('hook')));
    assert.match(tally.failures[0]?.message ?? '', /^Error: hook\n/);
  });

  it('lets nothing be skipped or left to do', () => {
    const tally = new Tally();
    tally.passedOne(event('a', 0, {skip: 'needs cgpt'}));
    tally.passedOne(event('b', 0, {skip: true}));
    tally.passedOne(event('c', 0, {todo: ''}));
    tally.passedOne(event('d', 0, {skip: 'no tool', details: {type: 'suite', duration_ms: 0}}));
    assert.equal(tally.passed, 0);
    assert.deepEqual(
      tally.failures.map(({message}) => message),
      ['skipped: needs cgpt', 'skipped: no reason given', 'left to do: no reason given', 'skipped: no tool'],
    );
  });

  it('blames a file without tests, and one that fails outside of them with its last words', () => {
    const tally = new Tally();
    tally.passedOne(event(FILE));
    tally.printed({file: FILE, message: 'Error: cannot load\n'});
    tally.failedOne(failed(FILE, 0, 'testCodeFailure', 'test failed'));
    assert.deepEqual(
      tally.failures.map(({name, message}) => [name, message]),
      [
        ['outside of its tests', 'the file holds no tests'],
        ['outside of its tests', 'test failed\nError: cannot load'],
      ],
    );
  });

  it('counts process warnings as failures, and no other output', () => {
    const tally = new Tally();
    const messages = [
      '(node:12) Warning: hello\n',
      '(node:12) [DEP0040] DeprecationWarning: The `punycode` module is deprecated.\n',
      '(node:12) ExperimentalWarning: soon\n',
      'Warning: not from node\n',
      '(Use `node --trace-warnings ...` to show where the warning was created)\n',
    ];
    for (const message of messages) tally.printed({file: FILE, message});
    assert.deepEqual(
      tally.failures.map(({message}) => `${message}\n`),
      messages.slice(0, 3),
    );
  });

  it('takes the time of whole files', () => {
    const tally = new Tally();
    tally.completed(event('test'));
    tally.completed(event(FILE));
    assert.deepEqual(tally.times, [{file: FILE, seconds: 1.5}]);
  });
});
