import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {QemuError} from '../../../qemu/errors.ts';
import {decodeQmp, encodeQmp, LineSplitter, QMP_LINE_MAX_LENGTH} from '../../../qemu/qmp-messages.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

describe('decodeQmp', () => {
  // Lines as QEMU 7.2 sends them.
  const greeting =
    '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}';
  const event =
    '{"timestamp": {"seconds": 1763642000, "microseconds": 1}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}';
  const table: [string, string, unknown][] = [
    ['a greeting', greeting, {kind: 'greeting', version: '7.2.22'}],
    ['an answer', '{"return": {}, "id": 3}', {kind: 'return', id: 3, value: {}}],
    [
      'an error',
      '{"id": 4, "error": {"class": "CommandNotFound", "desc": "The command x has not been found"}}',
      {kind: 'error', id: 4, errorClass: 'CommandNotFound', description: 'The command x has not been found'},
    ],
    [
      'an error without id',
      '{"error": {"class": "GenericError", "desc": "JSON parse error"}}',
      {kind: 'error', id: undefined, errorClass: 'GenericError', description: 'JSON parse error'},
    ],
    ['an event', event, {kind: 'event', name: 'SHUTDOWN', data: {guest: true, reason: 'guest-shutdown'}}],
    ['an event without data', '{"event": "STOP"}', {kind: 'event', name: 'STOP', data: {}}],
  ];
  for (const [what, line, message] of table) {
    it(`reads ${what}`, () => assert.deepEqual(decodeQmp(line), message));
  }

  const malformed = [
    'hello',
    '[]',
    'null',
    '{}',
    '{"return": {}}',
    '{"return": {}, "id": "1"}',
    '{"error": {}}',
    '{"QMP": {}}',
    '{"QMP": {"version": {}}}',
  ];
  for (const line of malformed) {
    it(`refuses ${line}`, () =>
      assert.throws(
        () => decodeQmp(line),
        (error) => error instanceof QemuError && error.code === 'bad-qmp',
      ));
  }

  it('refuses anything else in one way only', () => {
    const anyLine = fc.oneof(fc.string(), fc.json());
    fc.assert(fc.property(anyLine, (line) => succeedsOrThrows(QemuError, () => decodeQmp(line))));
  });
});

describe('encodeQmp', () => {
  it('writes one line', () => {
    assert.equal(encodeQmp(7, 'stop', undefined), '{"execute":"stop","id":7}\n');
    assert.equal(encodeQmp(8, 'x', {a: 'b\n'}), '{"execute":"x","arguments":{"a":"b\\n"},"id":8}\n');
  });
});

describe('LineSplitter', () => {
  it('joins lines over chunks and drops line ends', () => {
    const lines = new LineSplitter();
    assert.deepEqual(lines.push('{"a"'), []);
    assert.deepEqual(lines.push(':1}\r\n{"b":2}\r'), ['{"a":1}']);
    assert.deepEqual(lines.push('\n\r\n'), ['{"b":2}']);
  });

  it('refuses a line without end', () => {
    const lines = new LineSplitter();
    lines.push('x'.repeat(QMP_LINE_MAX_LENGTH));
    assert.throws(() => lines.push('x'), QemuError);
  });
});
