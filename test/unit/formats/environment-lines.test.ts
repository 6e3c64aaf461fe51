import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  assignVariables,
  posixQuote,
  readVariable,
  systemdEnvironment,
} from '../../../formats/environment-lines.ts';
import {fc} from '../../support/property.ts';

describe('assignVariables', () => {
  it('replaces lines where they stand, adds what is missing, and keeps the rest', () => {
    const text = '# mine\nGROUP=alpha\n\nSERVER=http://a/\nGROUP=beta\n';
    assert.equal(
      assignVariables(
        text,
        new Map([
          ['GROUP', 'stable'],
          ['REBOOT_STRATEGY', 'off'],
        ]),
      ),
      '# mine\nGROUP=stable\n\nSERVER=http://a/\nREBOOT_STRATEGY=off\n',
    );
    assert.equal(assignVariables('', new Map([['A', '1']])), 'A=1\n');
    assert.equal(assignVariables('#A=2', new Map([['A', '1']])), '#A=2\nA=1\n');
    assert.equal(assignVariables(text, new Map([['GROUP', null]])), '# mine\n\nSERVER=http://a/\n');
    assert.equal(assignVariables('A=1\n', new Map([['A', null]])), '');
  });

  it('changes nothing the second time', () => {
    const line = fc.constantFrom('A=1', 'A=2', ' A=3', '#A=4', '', 'B=1', 'x');
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom('5', null), (lines, value) => {
        const values = new Map([['A', value]]);
        const once = assignVariables(lines.join('\n'), values);
        assert.equal(assignVariables(once, values), once);
        assert.equal(readVariable(once, 'A'), value);
      }),
    );
  });
});

describe('quoting', () => {
  it('leaves plain values alone', () => {
    assert.equal(posixQuote('https://a.example/b'), 'https://a.example/b');
    assert.equal(posixQuote('Rackspace $Cloud "x"'), '"Rackspace \\$Cloud \\"x\\""');
    assert.equal(systemdEnvironment('A', 'b "c" 100% \\'), '"A=b \\"c\\" 100%% \\\\"');
  });
});
