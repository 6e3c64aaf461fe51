/** What is said when a page is not there, or something was refused. */
import {html} from '../html.ts';
import {PAGE_PREFIX, type Page} from '../layout.ts';

export function problemPage(title: string, text: string, hint?: string): Page {
  return {
    title,
    section: null,
    live: null,
    body: html`<div class="problem">
      <h1>${title}</h1>
      <p>${text}</p>
      ${hint !== undefined && html`<p class="dim">${hint}</p>`}
      <p><a href="${PAGE_PREFIX}">Overview</a></p>
    </div>`,
  };
}
