import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {Html, escapeHtml, html} from '../../../../server/page/html.ts';
import {fc} from '../../../support/property.ts';

describe('html', () => {
  it('takes every string as text, between tags and in attributes', () => {
    fc.assert(
      fc.property(fc.string({unit: 'binary', maxLength: 40}), (text) => {
        const markup = html`<p title="${text}">${text}</p>`.toString();
        const [, title = '', body = ''] =
          /^<p title="([^"<>]*)">([^"'<>]*)<\/p>$/s.exec(markup) ?? assert.fail(markup);
        assert.equal(title, body);
        assert.equal(
          unescape(body),
          text.replaceAll(/[\p{Cs}\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]/gu, '\ufffd'),
        );
      }),
    );
  });

  it('takes markup of its own as markup, in lists as well', () => {
    const items = ['a', '<b>'].map((each) => html`<i>${each}</i>`);
    assert.equal(html`<p>${items}!</p>`.toString(), '<p><i>a</i><i>&lt;b&gt;</i>!</p>');
  });

  it('leaves out what is nothing, and keeps nought', () => {
    assert.equal(html`${null}${undefined}${false}${''}${0}${[]}`.toString(), '0');
  });

  it('lets nobody make markup by other means', () => {
    assert.throws(() => new Html('<script>', Symbol('html') as never), /only/);
    const lookalike = {toString: () => '<script>', markup: '<script>'};
    assert.doesNotMatch(escapeHtml(String(lookalike)), /</);
  });
});

function unescape(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
