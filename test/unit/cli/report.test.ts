import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {reportError} from '../../../cli/report.ts';
import {CodedError} from '../../../formats/errors.ts';

class SampleError extends CodedError<'bad' | 'interrupted' | 'usage'> {}

function report(error: unknown): [number, string] {
  let text = '';
  const code = reportError(error, (piece) => (text += piece));
  return [code, text];
}

function systemError(code: string, path?: string): Error {
  return Object.assign(new Error(`${code}: as the system says`), {code, path});
}

describe('reportError', () => {
  it('says what happened, why, and what to do', () => {
    const cause = new SampleError('bad', 'the disk is on fire', {cause: new Error('spark')});
    assert.deepEqual(report(new SampleError('bad', 'cannot build', {cause, hint: 'call for help'})), [
      1,
      'caisson: cannot build\n  because the disk is on fire\n  because spark\nhint: call for help\n',
    ]);
    assert.deepEqual(report(new SampleError('bad', 'alone')), [1, 'caisson: alone\n']);
  });

  it('does not repeat a cause that the message quotes', () => {
    const cause = new Error('404');
    assert.equal(
      report(new SampleError('bad', 'the mirror answered 404', {cause}))[1],
      'caisson: the mirror answered 404\n',
    );
  });

  it('falls back to the advice of the cause', () => {
    const cause = new SampleError('bad', 'inner', {hint: 'turn the key'});
    assert.match(report(new SampleError('bad', 'outer', {cause}))[1], /\nhint: turn the key\n$/);
  });

  it('has exit codes of their own for an interruption and for a command line', () => {
    assert.deepEqual(report(new SampleError('interrupted', 'stopped by SIGINT')), [
      130,
      'caisson: stopped by SIGINT\n',
    ]);
    assert.deepEqual(report(new SampleError('usage', 'Unknown argument: x', {hint: 'caisson --help'})), [
      2,
      'caisson: Unknown argument: x\nhint: caisson --help\n',
    ]);
  });

  it('words errors of the operating system without a stack', () => {
    assert.deepEqual(report(systemError('ENOENT', '/x')), [1, 'caisson: does not exist (/x)\n']);
    assert.match(
      report(systemError('ENOSPC'))[1],
      /^caisson: no space left on the disk\nhint: .*caisson clean/,
    );
    assert.match(report(systemError('EACCES', '/x'))[1], /^caisson: not permitted \(\/x\): EACCES/);
    for (const code of ['ENOENT', 'ENOSPC', 'EPERM'])
      assert.doesNotMatch(report(systemError(code))[1], /at .*\.ts/);
  });

  it('names the disk that is full, and what to do also when a program found out', () => {
    const copy = Object.assign(systemError('ENOSPC', '/from'), {dest: '/to/x'});
    assert.match(report(copy)[1], /^caisson: no space left on the disk \(\/to\/x\)\n/);
    class ToolError extends CodedError<'failed'> {}
    for (const error of [
      new ToolError('failed', 'mkfs: write failed: No space left on device'),
      new ToolError('failed', 'cannot keep it', {cause: systemError('ENOSPC')}),
    ])
      assert.match(report(error)[1], /\nhint: make room, .*caisson clean\n$/);
    assert.doesNotMatch(report(new ToolError('failed', 'no idea'))[1], /hint/);
  });

  it('shows the stack of a fault of our own, and survives what is no error', () => {
    assert.match(report(new TypeError('x is not a function'))[1], /^caisson: TypeError: x is not.*\n +at /);
    assert.match(report(systemError('EMFILE'))[1], / at /);
    for (const thrown of [undefined, null, 'text', 7])
      assert.deepEqual(report(thrown), [1, `caisson: ${String(thrown)}\n`]);
  });
});
