/** Where a token is shown to the server. */
import {html} from '../html.ts';
import {PAGE_PREFIX, type Page} from '../layout.ts';

/** `problem`: why the last try did not work. `to`: a path of the page to go on to. */
export function signInPage(problem: string | null, to: string): Page {
  return {
    title: 'Sign in',
    section: null,
    live: null,
    body: html`<div class="gate">
      <svg viewBox="0 0 24 24" width="44" height="44" class="gate-mark" aria-hidden="true">
        <path d="M3 6h18v12H3z M3 12h18 M9 6v6 M15 12v6" />
      </svg>
      <h1>Caisson releases</h1>
      <form method="post" action="${PAGE_PREFIX}sign-in" class="gate-form">
        ${problem !== null && html`<p class="notice bad" role="alert">${problem}</p>`}
        <input type="hidden" name="to" value="${to}" />
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          placeholder="caisson_…"
          spellcheck="false"
          required
          autofocus
          maxlength="200"
        />
        <button class="main">Sign in</button>
      </form>
      <p class="dim">
        A token with the role <b>read</b> sees everything; <b>publish</b> promotes; <b>admin</b> also stops
        and resumes rollouts. The first token is in the server's data folder, in <code>admin.token</code>.
      </p>
    </div>`,
  };
}
