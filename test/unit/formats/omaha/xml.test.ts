import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {OmahaError, type OmahaErrorCode} from '../../../../formats/omaha/errors.ts';
import type {XmlElement} from '../../../../formats/omaha/xml.ts';
import {MAX_XML_BYTES, decodeXml, element, encodeXml} from '../../../../formats/omaha/xml.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';

const read = (text: string): XmlElement => decodeXml(Buffer.from(text));

function refuses(code: OmahaErrorCode, text: string, pattern?: RegExp): void {
  assert.throws(
    () => read(text),
    (error: unknown) =>
      error instanceof OmahaError && error.code === code && (pattern?.test(error.message) ?? true),
    text.slice(0, 100),
  );
}

describe('decodeXml', () => {
  it('reads elements and attributes, and passes over the rest', () => {
    const root = read(
      `\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<!-- hello --><a x="1" y='"'>text<b/><![CDATA[<c/>]]><b z=""></b></a>\n`,
    );
    assert.equal(root.name, 'a');
    assert.deepEqual(
      [...root.attributes],
      [
        ['x', '1'],
        ['y', '"'],
      ],
    );
    assert.deepEqual(
      root.children.map(({name, attributes}) => [name, ...attributes.keys()]),
      [['b'], ['b', 'z']],
    );
  });

  it('takes white space in values for blanks, unless it was written as a reference', () => {
    assert.equal(read('<a x="1\t2\r\n3\n\n4&#10;5"/>').attributes.get('x'), '1 2 3  4\n5');
  });

  it('expands the five names and the numbers, once', () => {
    const root = read(`<a x="&amp;lt; &lt;&gt;&quot;&apos; &#65;&#x1F600;"/>`);
    assert.equal(root.attributes.get('x'), `&lt; <>"' A\u{1f600}`);
  });

  for (const value of [
    '&foo;',
    '& b',
    '&',
    '&#0;',
    '&#x110000;',
    '&#xD800;',
    '&#x1;',
    '&amp',
    '&;',
    '&constructor;',
    '<',
  ])
    it(`refuses ${value} in a value`, () => refuses('bad-xml', `<a x="${value}"/>`));

  for (const [name, text] of [
    ['nothing', ''],
    ['text', 'hello'],
    ['two outermost elements', '<a/><b/>'],
    ['elements that overlap', '<a><b></a></b>'],
    ['an element that stays open', '<a><b></b>'],
    ['an attribute twice', '<a b="1" b="2"/>'],
    ['an attribute without quotes', '<a b=1/>'],
    ['text outside of the element', '<a/>b'],
    ['text before it', 'b<a/>'],
    ['a section of text outside of it', '<a/><![CDATA[b]]>'],
    ['a closing tag too many', '<a/></a>'],
    ['a closing tag with attributes', '<a></a b="1">'],
    ['a closing tag that is empty, too', '<a></a/>'],
    ['attributes that run together', '<a b="1"c="2"/>'],
    ['a blank before a name', '< a/>'],
    ['a comment that stays open', '<a/><!-- b'],
    ['a comment that is too short', '<!--><a/>'],
    ['declarations', '<a><!ELEMENT b></a>'],
    ['a character that XML does not have', '<a>\u0000</a>'],
    ['too deep a nest', `${'<a>'.repeat(18)}${'</a>'.repeat(18)}`],
    ['entities of its own', '<!DOCTYPE a [<!ENTITY x "y">]><a b="&x;"/>'],
    ['a DOCTYPE', '<!doctype a><a/>'],
  ] as const)
    it(`refuses ${name}`, () => refuses('bad-xml', text));

  it('has no name that means something else to JavaScript', () => {
    const root = read('<a __proto__="x" constructor="y"><__proto__/></a>');
    assert.deepEqual(
      Object.fromEntries(root.attributes),
      JSON.parse('{"__proto__": "x", "constructor": "y"}'),
    );
    assert.deepEqual(
      root.children.map(({name}) => name),
      ['__proto__'],
    );
  });

  it('refuses bytes that are no UTF-8', () => {
    assert.throws(() => decodeXml(Buffer.from([0x3c, 0x61, 0xff, 0x2f, 0x3e])), /not UTF-8/);
  });

  it('refuses a document of more than a MiB unread', () => {
    refuses('too-large', `<a>${' '.repeat(MAX_XML_BYTES)}</a>`, /more than 1048576/);
  });

  it('has no document that takes it long', () => {
    const many = Math.floor(MAX_XML_BYTES / 64);
    const hard = [
      '<',
      '<a>',
      '<a b="',
      '</',
      '<!--',
      '<?',
      '<![CDATA[',
      'a=" ',
      '&amp;',
      ' ',
      '<b/>',
    ].flatMap((part) => [part.repeat(many), `<a>${part.repeat(many)}`, `<a x="${part.repeat(many)}"/>`]);
    for (const text of hard) {
      const startedAt = performance.now();
      succeedsOrThrows(OmahaError, () => read(text));
      assert.ok(performance.now() - startedAt < 10_000, text.slice(0, 40));
    }
  });
});

describe('encodeXml', () => {
  it('writes elements in their long form, one a line', () => {
    const bytes = encodeXml(
      element('a', {x: 1, y: undefined, z: true}, [element('b', {}), element('c', {d: ''})]),
    );
    assert.equal(
      Buffer.from(bytes).toString(),
      '<?xml version="1.0" encoding="UTF-8"?>\n<a x="1" z="true">\n  <b></b>\n  <c d=""></c>\n</a>\n',
    );
  });

  it('refuses characters that XML has no room for', () => {
    assert.throws(() => encodeXml(element('a', {x: 'a\u0000'})), /x has the character U\+0000/);
    assert.throws(() => encodeXml(element('a', {x: '\ud800'})), /U\+D800/);
  });

  it('gives back every value', () => {
    const printable = fc
      .string({unit: 'grapheme'})
      .filter((text) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text));
    fc.assert(
      fc.property(printable, (value) => {
        assert.equal(decodeXml(encodeXml(element('a', {x: value}))).attributes.get('x'), value);
      }),
    );
    const white = '\t\n\r &<>"\'';
    assert.equal(decodeXml(encodeXml(element('a', {x: white}))).attributes.get('x'), white);
  });

  it('survives damage', () => {
    const bytes = encodeXml(
      element('response', {protocol: '3.0'}, [element('app', {appid: '&"'}, [element('ping', {})])]),
    );
    fc.assert(
      fc.property(damaged(bytes), (bad) => succeedsOrThrows(OmahaError, () => decodeXml(bad))),
      {numRuns: 2000},
    );
  });
});
