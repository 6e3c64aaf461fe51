/**
 * Markup by a tagged template that escapes: whatever is put into it is text, unless it is markup that came from this very
 * template. So a name that a host gives itself can be shown anywhere, and nobody has to think of it.
 *
 * Values belong between tags or into attributes in double quotes, and never into a script, a style or the name of a tag;
 * the page has no scripts or styles of its own in it.
 *
 * Rejected: a framework with components. The page is text that changes rarely, and a browser without script has to see
 * all of it.
 */

/** Text that is markup already. Only `html` makes it. */
export class Html {
  readonly #markup: string;

  constructor(markup: string, key: typeof KEY) {
    if (key !== KEY) throw new Error('markup is made by html`...` only');
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

/** Not exported: what has it is in this file. */
const KEY = Symbol('html');

/** Null, undefined and false are nothing, so that `condition && html`...`` reads well. */
export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const parts = strings.map((text, index) => text + markupOf(values[index]));
  return new Html(parts.join(''), KEY);
}

export const NOTHING: Html = html``;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Characters that HTML cannot have, and halves of characters, become the sign for that. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
    .replaceAll(/[\p{Cs}\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffe\uffff]/gu, '\ufffd');
}

function markupOf(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return '';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escapeHtml(value);
  if (value instanceof Html) return value.toString();
  return value.map(markupOf).join('');
}
