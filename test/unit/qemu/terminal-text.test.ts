import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {TerminalText} from '../../../qemu/terminal-text.ts';
import {fc} from '../../support/property.ts';

const CASES: [string, string, string][] = [
  ['colours', '[\u001B[0;32m  OK  \u001B[0m] Started', '[  OK  ] Started'],
  ['cursor movement', '\u001B[2J\u001B[01;01HUEFI\u001B[=3h', 'UEFI'],
  ['private modes and soft reset', '\u001B[!p\u001B]104\u0007\u001B[?7h\u001B[6nDebian', 'Debian'],
  ['a window title ended by ST', '\u001B]0;title\u001B\\text', 'text'],
  ['charsets and keypad', '\u001B(B\u001B=text\u001Bc', 'text'],
  ['carriage returns, bells, backspaces', 'a\r\nb\u0007\u0008c', 'a\nbc'],
  ['tabs and other languages', 'a\tü\u{1F600}', 'a\tü\u{1F600}'],
];

describe('TerminalText', () => {
  for (const [what, raw, plain] of CASES) {
    it(`takes out ${what}`, () => assert.equal(new TerminalText().push(raw), plain));
  }

  it('gives the same text however the stream is cut', () => {
    const raw = CASES.map(([, text]) => text).join('\n');
    const whole = new TerminalText().push(raw);
    fc.assert(
      fc.property(fc.array(fc.nat({max: raw.length}), {maxLength: 20}), (cuts) => {
        const terminal = new TerminalText();
        const edges = [0, ...cuts.sort((a, b) => a - b), raw.length];
        const parts = edges.slice(1).map((edge, index) => terminal.push(raw.slice(edges[index], edge)));
        assert.equal(parts.join(''), whole);
      }),
    );
  });

  it('hides no more than a line behind a sequence that never ends', () => {
    const terminal = new TerminalText();
    assert.equal(terminal.push('\u001B]0;hidden'), '');
    assert.equal(terminal.push('hidden\nshown'), '\nshown');
    assert.equal(terminal.push('\u001B[1;\u0001shown'), 'shown');
    assert.equal(terminal.push('\u001B\u001B[0mshown\u001B'), 'shown');
  });
});
