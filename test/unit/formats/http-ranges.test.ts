import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type FileSelection,
  type RequestHeaders,
  formatHttpDate,
  selectFromFile,
} from '../../../formats/http-conditions.ts';
import {differenceOf, ifRangeOf, parseContentRange, parseEtag} from '../../../formats/http-ranges.ts';
import {fc} from '../../support/property.ts';

describe('parseEtag', () => {
  for (const tag of ['"abc"', 'W/"abc"', '""', '"a b"', 'abc', '"a"b"', 'w/"a"', undefined])
    it(`${tag} is ${tag === '"abc"' || tag === 'W/"abc"' || tag === '""' ? 'one' : 'none'}`, () => {
      assert.equal(parseEtag(tag), ['"abc"', 'W/"abc"', '""'].includes(tag ?? '') ? tag : null);
    });
});

describe('parseContentRange', () => {
  const cases: [string | undefined, ReturnType<typeof parseContentRange>][] = [
    ['bytes 0-9/10', {range: {first: 0, last: 9}, total: 10}],
    ['bytes 5-9/*', {range: {first: 5, last: 9}, total: null}],
    ['bytes */10', {range: null, total: 10}],
    ['bytes */*', null],
    ['bytes 9-5/10', null],
    ['bytes 0-10/10', null],
    ['bytes 0-9', null],
    ['bytes=0-9/10', null],
    ['items 0-9/10', null],
    ['bytes 0-9999999999999999/10', null],
    ['', null],
    [undefined, null],
  ];
  for (const [text, expected] of cases)
    it(`reads ${text}`, () => assert.deepEqual(parseContentRange(text), expected));
});

describe('ifRangeOf', () => {
  it('takes a strong tag, else a date, and nothing beside a weak tag', () => {
    const lastModified = formatHttpDate(0);
    assert.equal(ifRangeOf({etag: '"a"', lastModified}), '"a"');
    assert.equal(ifRangeOf({etag: 'W/"a"', lastModified}), null);
    assert.equal(ifRangeOf({etag: null, lastModified}), lastModified);
  });
});

describe('differenceOf', () => {
  it('trusts strong tags, then dates, and says nothing where neither is there', () => {
    const of = (etag: string | null, lastModified: string | null = null) => ({etag, lastModified});
    assert.equal(differenceOf(of('"a"', 'monday'), of('"a"', 'tuesday')), null);
    assert.equal(differenceOf(of('"a"'), of('"b"')), 'ETag "b", it was "a"');
    assert.equal(differenceOf(of('W/"a"'), of('W/"b"')), null);
    assert.equal(differenceOf(of('W/"a"', 'monday'), of('W/"a"', 'tuesday')), 'of tuesday, it was of monday');
    assert.equal(differenceOf(of(null, 'monday'), of('"b"')), null);
    assert.equal(differenceOf(of(null), of(null)), null);
  });
});

describe('selectFromFile', () => {
  const file = {bytes: 100, etag: '"abc"', modifiedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 600)};
  const at = formatHttpDate(file.modifiedAt);
  const before = formatHttpDate(file.modifiedAt - 1000);
  const part = (first: number, last: number): FileSelection => ({kind: 'part', first, last});
  const cases: [string, RequestHeaders, FileSelection][] = [
    ['nothing', {}, {kind: 'whole'}],
    ['a first part', {range: 'bytes=0-9'}, part(0, 9)],
    ['a rest', {range: 'bytes=90-'}, part(90, 99)],
    ['more than there is', {range: 'bytes=90-1000'}, part(90, 99)],
    ['the last bytes', {range: 'bytes=-10'}, part(90, 99)],
    ['more last bytes than there are', {range: 'bytes=-1000'}, part(0, 99)],
    ['no last bytes', {range: 'bytes=-0'}, {kind: 'unsatisfiable'}],
    ['what lies beyond', {range: 'bytes=100-'}, {kind: 'unsatisfiable'}],
    ['a range backwards', {range: 'bytes=9-0'}, {kind: 'whole'}],
    ['several ranges', {range: 'bytes=0-1,5-6'}, {kind: 'whole'}],
    ['another unit', {range: 'lines=0-1'}, {kind: 'whole'}],
    ['no numbers', {range: 'bytes=-'}, {kind: 'whole'}],
    ['a part of the same', {range: 'bytes=0-9', 'if-range': '"abc"'}, part(0, 9)],
    ['a part of another', {range: 'bytes=0-9', 'if-range': '"abd"'}, {kind: 'whole'}],
    ['a part of a weak tag', {range: 'bytes=0-9', 'if-range': 'W/"abc"'}, {kind: 'whole'}],
    ['a part of the same date', {range: 'bytes=0-9', 'if-range': at}, part(0, 9)],
    ['a part of another date', {range: 'bytes=0-9', 'if-range': before}, {kind: 'whole'}],
    ['what is known', {'if-none-match': '"x", W/"abc"'}, {kind: 'not-modified'}],
    ['anything new', {'if-none-match': '*'}, {kind: 'not-modified'}],
    ['what is not known', {'if-none-match': '"x"', 'if-modified-since': at}, {kind: 'whole'}],
    ['nothing newer', {'if-modified-since': at}, {kind: 'not-modified'}],
    ['something newer', {'if-modified-since': before}, {kind: 'whole'}],
    ['a date that is none', {'if-modified-since': 'yesterday'}, {kind: 'whole'}],
    ['only this', {'if-match': '"abc"', range: 'bytes=0-9'}, part(0, 9)],
    ['only another', {'if-match': '"x"', range: 'bytes=0-9'}, {kind: 'precondition-failed'}],
    ['only a weak one', {'if-match': 'W/"abc"'}, {kind: 'precondition-failed'}],
    ['nothing newer than', {'if-unmodified-since': before}, {kind: 'precondition-failed'}],
    ['nothing newer than itself', {'if-unmodified-since': at}, {kind: 'whole'}],
  ];
  for (const [name, headers, expected] of cases)
    it(`asked for ${name} gives ${expected.kind}`, () =>
      assert.deepEqual(selectFromFile(headers, file), expected));

  it('stays within the file, whatever is asked', () => {
    const range = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([from, to]) => `bytes=${from}-${to}`),
    );
    fc.assert(
      fc.property(
        range,
        fc.option(fc.string(), {nil: undefined}),
        fc.nat({max: 1e6}),
        (text, ifRange, bytes) => {
          const selection = selectFromFile({range: text, 'if-range': ifRange}, {...file, bytes});
          if (selection.kind !== 'part') return;
          assert.ok(0 <= selection.first && selection.first <= selection.last && selection.last < bytes);
        },
      ),
    );
  });
});
