import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {YamlError, type YamlNode, parseYaml, placeOf, plainValue} from '../../../formats/yaml.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

const OLD = {version: '1.1', maxAliases: 10, maxCharacters: 100_000} as const;
const read = (text: string): unknown => plainValue(parseYaml(text, OLD));
const refuses = (pattern: RegExp, text: string): void =>
  assert.throws(
    () => parseYaml(text, OLD),
    (error) => error instanceof YamlError && pattern.test(error.message),
    text.slice(0, 80),
  );

/** Key to text, of a flat map. */
function texts(node: YamlNode | null): Record<string, string> {
  assert.ok(node?.kind === 'map');
  return Object.fromEntries(
    node.entries.map(({key, value}) => [key, value.kind === 'scalar' ? value.text : value.kind]),
  );
}

describe('parseYaml', () => {
  it('reads the booleans and numbers of YAML 1.1, and keeps the text of each', () => {
    const text = 'a: yes\nb: On\nc: 0644\nd: "0644"\ne: ~\nf: 12:30:00\ng: 2001-01-01\nh:\n';
    assert.deepEqual(read(text), {
      a: true,
      b: true,
      c: 0o644,
      d: '0644',
      e: null,
      f: 45_000,
      g: '2001-01-01',
      h: null,
    });
    const {a, b, c, d, f, h} = texts(parseYaml(text, OLD));
    assert.deepEqual([a, b, c, d, f, h], ['yes', 'On', '0644', '0644', '12:30:00', '']);
  });

  it('reads YAML 1.2 where it is asked to', () => {
    const root = parseYaml('a: yes\nb: 0644\n', {...OLD, version: '1.2'});
    assert.deepEqual(plainValue(root), {a: 'yes', b: 644});
  });

  it('takes keys as they are written', () => {
    assert.deepEqual(read('on: 1\n2: 3\n__proto__: 4\n'), JSON.parse('{"on": 1, "2": 3, "__proto__": 4}'));
  });

  it('unfolds aliases and merges, up to a number of them', () => {
    assert.deepEqual(read('a: &x {k: 1, l: 2}\nb: *x\nc:\n  <<: *x\n  l: 3\n'), {
      a: {k: 1, l: 2},
      b: {k: 1, l: 2},
      c: {k: 1, l: 3},
    });
    refuses(/more than 10 aliases/, `a: &x 1\nb: [${'*x, '.repeat(11)}]\n`);
    refuses(/no anchor &y/, 'a: *y\n');
    refuses(/nested deeper|no anchor|aliases/, 'a: &x [*x]\n');
    const bomb = ['a0: &a0 [1,1,1,1,1,1,1,1,1]'];
    for (let at = 1; at < 9; at += 1)
      bomb.push(
        `a${at}: &a${at} [${Array(9)
          .fill(`*a${at - 1}`)
          .join(',')}]`,
      );
    assert.throws(
      () => parseYaml(bomb.join('\n'), {...OLD, maxAliases: 1_000_000}),
      (error) => error instanceof YamlError && error.code === 'too-large',
    );
  });

  it('refuses tags, repeated keys, keys that are no text and a second document', () => {
    refuses(/tags \(!?.*binary/, 'a: !!binary aGk=\n');
    refuses(/tag/, 'a: !foo 1\n');
    refuses(/unique/, 'a: 1\na: 2\n');
    refuses(/no text/, '? [a]\n: 1\n');
    refuses(/multiple documents/, 'a: 1\n---\nb: 2\n');
  });

  it('says where it stopped', () => {
    assert.throws(
      () => parseYaml('a: 1\nb: "\\$x"\n', OLD),
      (error) =>
        error instanceof YamlError &&
        error.place?.line === 2 &&
        /Invalid escape sequence.* at line 2, column 5$/.test(error.message),
    );
    refuses(/at line 3, column/, 'a:\n  - b\n c: 1\n');
  });

  it('refuses what is too long or too deep, quickly', () => {
    refuses(/more than 100000/, `a: ${'x'.repeat(100_001)}`);
    for (const piece of ['[', '{', '- ', '? ', '[{', '- [', '-\n'])
      assert.throws(() => parseYaml(piece.repeat(20_000), OLD), YamlError, piece);
    assert.throws(() => parseYaml(`${'[a, '.repeat(20_000)}`, OLD), YamlError);
    assert.throws(() => parseYaml(`${'{a: '.repeat(20_000)}`, OLD), YamlError);
    assert.throws(() => parseYaml(`a: [${'1,'.repeat(49_000)}]\nb: [${'1,'.repeat(49_000)}`, OLD), YamlError);
  });

  it('gives null for nothing', () => {
    assert.equal(parseYaml('', OLD), null);
    assert.equal(parseYaml('#cloud-config\n', OLD), null);
  });

  it('lets nothing but its own error out', () => {
    const word = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&x',
      '*x',
      '"',
      "'",
      '|',
      '<<',
      '!',
      '%',
      '#',
      '\t',
      '---',
      '? ',
    );
    fc.assert(
      fc.property(fc.array(word, {maxLength: 60}), (words) =>
        succeedsOrThrows(YamlError, () => plainValue(parseYaml(words.join(''), OLD))),
      ),
    );
  });
});

describe('placeOf', () => {
  it('finds keys and items, and the parent of what is missing', () => {
    const root = parseYaml('a:\n  - b: 1\n    c: 2\n', OLD);
    assert.deepEqual(placeOf(root, ['a', 0, 'c']), {line: 3, column: 5});
    assert.deepEqual(placeOf(root, ['a', 0]), {line: 2, column: 5});
    assert.deepEqual(placeOf(root, ['a', 0, 'd']), {line: 2, column: 5});
    assert.deepEqual(placeOf(root, ['x']), {line: 1, column: 1});
  });
});
