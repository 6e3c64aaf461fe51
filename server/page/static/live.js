/*
 * Keeps the page as the server has it: when told that something changed, asks for this very page again and exchanges the
 * parts that differ. A part somebody is writing in is left alone. Without this script the page is the same, as of when
 * it was loaded.
 */
'use strict';
(() => {
  const {live, feed, calm} = document.body.dataset;
  if (live === undefined || feed === undefined || !('EventSource' in window)) return;
  const sign = document.querySelector('[data-live-sign]');
  const CALM_MS = Number(calm);
  const SOON_MS = 50;
  /** Ages go on while nothing happens. */
  const AGE_MS = 60000;
  let isRunning = false;
  let isDue = false;
  let timer = 0;
  let startedAt = -Infinity;

  function isBusy(part) {
    const {activeElement} = document;
    if (
      activeElement !== null &&
      part.contains(activeElement) &&
      activeElement.matches('input, select, textarea')
    )
      return true;
    return [...part.querySelectorAll('input, textarea')].some(
      (field) => field.type !== 'hidden' && field.type !== 'checkbox' && field.value !== field.defaultValue,
    );
  }

  function exchange(part, fresh) {
    const {activeElement} = document;
    const focused =
      activeElement !== null && part.contains(activeElement)
        ? [...part.querySelectorAll('a, button, summary')].indexOf(activeElement)
        : -1;
    for (const details of part.querySelectorAll('details[open][id]')) {
      const same = fresh.querySelector('#' + CSS.escape(details.id));
      if (same !== null) same.open = true;
    }
    if (part.innerHTML === fresh.innerHTML) return;
    const node = document.adoptNode(fresh);
    part.replaceWith(node);
    if (focused >= 0) {
      const target = [...node.querySelectorAll('a, button, summary')][focused];
      if (target !== undefined) target.focus({preventScroll: true});
    }
  }

  async function refresh() {
    if (isRunning || document.hidden) {
      isDue = true;
      return;
    }
    isRunning = true;
    isDue = false;
    startedAt = performance.now();
    try {
      const answer = await fetch(location.href, {
        headers: {accept: 'text/html'},
        cache: 'no-store',
        redirect: 'manual',
      });
      // To the sign-in: the session is over.
      if (answer.type === 'opaqueredirect' || answer.status === 401) {
        location.reload();
        return;
      }
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const part of document.querySelectorAll('[data-part]')) {
        const other = fresh.getElementById(part.id);
        if (other !== null && !isBusy(part)) exchange(part, other);
      }
    } catch {
      // Not reachable: the stream notices as well, and comes back by itself.
    } finally {
      isRunning = false;
      if (isDue) later();
    }
  }

  /** Soon, and not too often, however much happens. */
  function later() {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(SOON_MS, startedAt + CALM_MS - performance.now()));
  }

  function show(state) {
    if (sign === null) return;
    sign.hidden = false;
    sign.dataset.state = state;
    sign.lastElementChild.textContent = state === 'on' ? 'live' : 'reconnecting';
  }

  let stream = null;
  let wait = 1000;
  function connect() {
    stream = new EventSource(feed);
    let isFirst = true;
    stream.addEventListener('open', () => {
      show('on');
      wait = 1000;
      // What happened between loading, or losing the server, and now.
      if (isFirst) later();
      isFirst = false;
    });
    stream.addEventListener('change', (event) => {
      const {groups} = JSON.parse(event.data);
      if (groups === null || live === 'all' || groups.includes(live)) later();
    });
    stream.addEventListener('error', () => {
      show('off');
      // A browser gives up when the answer is an error; a server that restarts gives errors for a while.
      stream.close();
      setTimeout(connect, wait);
      wait = Math.min(30000, wait * 2);
    });
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && isDue) later();
  });
  setInterval(() => later(), AGE_MS);
  window.addEventListener('pagehide', () => stream?.close());
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) connect();
  });
  connect();
})();
