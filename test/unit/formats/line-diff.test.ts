import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {diffLines} from '../../../formats/line-diff.ts';
import {nearest} from '../../../formats/nearest.ts';
import {fc} from '../../support/property.ts';

const diff = (a: string, b: string): string => diffLines(a, b, {maxLines: 100}).join(' ');

describe('diffLines', () => {
  it('shows what was taken out and put in', () => {
    assert.equal(diff('a\nb\nc\n', 'a\nx\nc\n'), '-b +x');
    assert.equal(diff('', 'a\nb\n'), '+a +b');
    assert.equal(diff('a\n', ''), '-a');
    assert.equal(diff('a\nb\nc\nd\n', 'b\nc\nx\nd\ne\n'), '-a +x +e');
    assert.equal(diff('a\n', 'a\n'), '');
  });

  it('says how much it leaves out', () => {
    assert.deepEqual(diffLines('', 'a\nb\nc\n', {maxLines: 1}), ['+a', '... and 2 lines more']);
  });

  it('accounts for every line', () => {
    const lines = fc.array(fc.constantFrom('a', 'b', 'c'), {maxLength: 12});
    fc.assert(
      fc.property(lines, lines, (a, b) => {
        const out = diffLines(a.join('\n'), b.join('\n'), {maxLines: 1000});
        const minus = out.filter((line) => line.startsWith('-')).length;
        assert.equal(a.length - minus, b.length - (out.length - minus));
      }),
    );
  });
});

describe('nearest', () => {
  it('finds what was meant, or nothing', () => {
    assert.equal(nearest('hostnam', ['hostname', 'users']), 'hostname');
    assert.equal(nearest('comand', ['command', 'content']), 'command');
    assert.equal(nearest('runcmd', ['users', 'coreos']), null);
    assert.equal(nearest('x'.repeat(1000), ['users']), null);
  });
});
