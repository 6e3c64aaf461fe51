import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {GlobError, compilePatterns, expandBraces, globToRegExp} from '../../../formats/glob.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

describe('expandBraces', () => {
  const cases: [string, string[]][] = [
    ['a/b', ['a/b']],
    ['a/{b,c}', ['a/b', 'a/c']],
    ['{a,b}/{c,d}', ['a/c', 'a/d', 'b/c', 'b/d']],
    ['a{b,{c,d}e}f', ['abf', 'acef', 'adef']],
    ['a{,b}', ['a', 'ab']],
    ['{a}', ['a']],
    ['{}', ['']],
    ['a,b', ['a,b']],
  ];
  for (const [pattern, expected] of cases)
    it(`writes out ${pattern}`, () => assert.deepEqual(expandBraces(pattern), expected));

  it('refuses braces that do not match, and too many alternatives', () => {
    for (const pattern of ['{a', 'a}', '{a,{b}', '{a}}', '}{', '{a}{'])
      assert.throws(() => expandBraces(pattern), GlobError, pattern);
    assert.throws(() => expandBraces('{a,b}'.repeat(10)), /over 1000 alternatives/);
    assert.throws(() => expandBraces(`{${'a,'.repeat(1001)}}`), /over 1000/);
  });

  it('ends soon, whatever the pattern', () => {
    const piece = fc.constantFrom('{', '}', ',', 'a', '{a,b}', '{a,b,c,d,e,f,g,h}');
    fc.assert(
      fc.property(fc.array(piece, {maxLength: 200}), (pieces) => {
        const startedAt = performance.now();
        succeedsOrThrows(GlobError, () => expandBraces(pieces.join('')));
        assert.ok(performance.now() - startedAt < 10_000);
      }),
    );
  });
});

describe('globToRegExp', () => {
  const cases: [string, string[], string[]][] = [
    ['usr/*', ['usr/a', 'usr/.hidden', 'usr/'], ['usr', 'usr/a/b', 'xusr/a']],
    ['usr/**', ['usr/a', 'usr/a/b'], ['usr']],
    ['**/*.pyc', ['a/b.pyc', 'a/b/c.pyc'], ['b.pyc', 'a/b.pycx']],
    ['a?c', ['abc'], ['ac', 'a/c', 'abbc']],
    ['a.b+c(d)[e]^$|\\', ['a.b+c(d)[e]^$|\\'], ['aXb+c(d)[e]^$|\\']],
    ['lib*.so.*', ['libc.so.6', 'lib.so.'], ['libc.so', 'lib/c.so.6']],
    ['a*', ['a', 'a\nb'], ['b']],
  ];
  for (const [pattern, matching, others] of cases) {
    it(`${pattern} matches what it says`, () => {
      const matcher = globToRegExp(pattern);
      for (const path of matching) assert.ok(matcher.test(path), path);
      for (const path of others) assert.ok(!matcher.test(path), path);
    });
  }
});

describe('compilePatterns', () => {
  it('covers all below a directory that matches', () => {
    const set = compilePatterns(['usr/share/{doc,man}', 'etc/*.d']);
    assert.deepEqual(
      ['usr/share/doc', 'usr/share/doc/a/b', 'etc/x.d/y', 'usr/share', 'usr/share/docs', 'etc/x'].map(
        (path) => set.covers(path),
      ),
      [true, true, true, false, false, false],
    );
  });

  it('names patterns that matched nothing, brace by brace', () => {
    const set = compilePatterns(['usr/{a,b}', 'etc']);
    set.covers('usr/a/x');
    set.covers('opt');
    assert.deepEqual(set.unused(), ['usr/b', 'etc']);
    set.covers('etc');
    assert.deepEqual(set.unused(), ['usr/b']);
  });

  it('counts a pattern as used that matches what another one covers as well', () => {
    const set = compilePatterns(['usr/share', 'usr/share/doc']);
    set.covers('usr/share');
    set.covers('usr/share/doc');
    // It removes nothing of its own: that is what an owner of the list wants to hear.
    assert.deepEqual(set.unused(), ['usr/share/doc']);
  });

  it('answers alike however often and in whatever order it is asked', () => {
    const path = fc
      .array(fc.constantFrom('a', 'b', 'c.d'), {minLength: 1, maxLength: 4})
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.array(path), (paths) => {
        const patterns = ['a/*', '**/c.d', 'b/b'];
        const [asked, fresh] = [compilePatterns(patterns), () => compilePatterns(patterns)];
        for (const each of [...paths, ...paths]) assert.equal(asked.covers(each), fresh().covers(each));
      }),
    );
  });
});
