import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {describe, it} from 'node:test';
import {createAttempts} from '../../../../server/page/attempts.ts';
import {readDestination, readForm, readInstanceQuery, readRange} from '../../../../server/page/input.ts';
import {
  IDLE_MS,
  LIFETIME_MS,
  csrfOf,
  isAlive,
  isCsrfOf,
  isFromHere,
  isSecureFor,
  sessionCookie,
  sessionIdOf,
} from '../../../../server/page/session.ts';
import {fc} from '../../../support/property.ts';

const ID = randomBytes(32).toString('base64url');

describe('the cookie of a session', () => {
  it('comes back as it was set', () => {
    for (const isSecure of [true, false]) {
      const [pair = ''] = sessionCookie(ID, isSecure).split(';');
      assert.equal(sessionIdOf({cookie: `a=b; ${pair}; c=d`}, isSecure), ID);
    }
  });

  it('is for this host and HTTPS only where there is HTTPS', () => {
    assert.match(sessionCookie(ID, true), /^__Host-\S+; Path=\/; .*HttpOnly; SameSite=Lax; Secure$/);
    assert.doesNotMatch(sessionCookie(ID, false), /Secure|__Host/);
    // One that was set without HTTPS, by whoever was on the way, is none with it.
    const [plain = ''] = sessionCookie(ID, false).split(';');
    assert.equal(sessionIdOf({cookie: plain}, true), null);
  });

  it('is forgotten on signing out', () => {
    assert.match(sessionCookie(null, true), /=; Path=\/; Max-Age=0;/);
  });

  it('is nothing but a session, whatever a browser sends', () => {
    fc.assert(
      fc.property(fc.string({unit: 'binary', maxLength: 80}), (cookie) => {
        const found = sessionIdOf({cookie}, false);
        assert.ok(found === null || /^[A-Za-z0-9_-]{43}$/.test(found));
      }),
    );
    assert.equal(sessionIdOf({}, false), null);
    assert.equal(sessionIdOf({cookie: 'caisson-session=../../x'}, false), null);
  });
});

describe('a session', () => {
  it('ends when nobody uses it, and after its lifetime', () => {
    assert.equal(isAlive({createdAt: 0, lastSeenAt: 0}, IDLE_MS - 1), true);
    assert.equal(isAlive({createdAt: 0, lastSeenAt: 0}, IDLE_MS), false);
    assert.equal(isAlive({createdAt: 0, lastSeenAt: LIFETIME_MS - 1}, LIFETIME_MS), false);
  });

  it('has a form token that is its own', () => {
    const other = randomBytes(32).toString('base64url');
    assert.equal(isCsrfOf(ID, csrfOf(ID)), true);
    for (const given of ['', ID, csrfOf(other), `${csrfOf(ID)} `, csrfOf(ID).slice(1)])
      assert.equal(isCsrfOf(ID, given), false);
    assert.ok(!csrfOf(ID).includes(ID));
  });
});

describe('where a form comes from', () => {
  const from = (headers: Record<string, string>, publicUrl: string | null = null): boolean =>
    isFromHere({headers: {host: 'updates.example:8000', ...headers}}, publicUrl);

  it('is what the browser says', () => {
    assert.equal(from({'sec-fetch-site': 'same-origin', origin: 'http://updates.example:8000'}), true);
    assert.equal(from({origin: 'http://updates.example:8000'}), true);
    for (const site of ['cross-site', 'same-site']) assert.equal(from({'sec-fetch-site': site}), false);
    for (const origin of [
      'http://evil.example',
      'null',
      'http://updates.example:8001',
      'http://updates.example',
    ])
      assert.equal(from({origin}), false);
    // One header that is right does not make up for another.
    assert.equal(from({'sec-fetch-site': 'same-origin', origin: 'http://evil.example'}), false);
  });

  it('may be the address that people use, behind a proxy', () => {
    assert.equal(from({origin: 'https://updates.example'}, 'https://updates.example'), true);
    assert.equal(from({origin: 'https://other.example'}, 'https://updates.example'), false);
  });

  it('is not asked of programs, which say nothing', () => {
    assert.equal(from({}), true);
  });

  it('is secure with TLS here, or in front', () => {
    assert.equal(isSecureFor({isTls: true}, null), true);
    assert.equal(isSecureFor({isTls: false}, 'https://updates.example'), true);
    assert.equal(isSecureFor({isTls: false}, 'http://updates.example'), false);
  });
});

describe('wrong tokens', () => {
  it('hold off an address for ten minutes, and no other', () => {
    const attempts = createAttempts();
    for (let count = 0; count < 10; count += 1) {
      assert.equal(attempts.isBlocked('a', count), false);
      attempts.note('a', count);
    }
    assert.equal(attempts.isBlocked('a', 10), true);
    assert.equal(attempts.isBlocked('b', 10), false);
    assert.equal(attempts.isBlocked('a', 10 * 60_000 + 1), false);
  });

  it('are forgotten from the oldest address on when there are too many', () => {
    const attempts = createAttempts();
    for (let count = 0; count < 10; count += 1) attempts.note('first', 0);
    for (let count = 0; count < 1000; count += 1) attempts.note(`other-${count}`, 0);
    assert.equal(attempts.isBlocked('first', 0), false);
  });
});

describe('what comes with a request', () => {
  it('leads to a page of this server after signing in', () => {
    assert.equal(readDestination('/ui/groups/stable?range=day', '/ui/'), '/ui/groups/stable?range=day');
    for (const given of [
      null,
      '',
      '/',
      'https://evil.example/ui/',
      '//evil.example/ui/',
      '/ui/\\evil',
      '/ui/ x',
      '/ui//evil.example',
      '/ui/\r\nset-cookie: a',
    ])
      assert.equal(readDestination(given, '/ui/'), '/ui/');
  });

  it('is a form of a bounded size', () => {
    const form = (type: string, text: string): URLSearchParams | null =>
      readForm({headers: {'content-type': type}, body: Buffer.from(text)} as never);
    assert.equal(form('application/x-www-form-urlencoded; charset=utf-8', 'csrf=a%20b')?.get('csrf'), 'a b');
    assert.equal(form('text/plain', 'csrf=a'), null);
    assert.equal(form('application/x-www-form-urlencoded', 'a'.repeat(5000)), null);
  });

  it('is looked for as far as it is understood', () => {
    assert.deepEqual(readInstanceQuery('q=+ab%00c+&group=web&state=lost&after=x'), {
      ...{search: 'abc', group: 'web', state: 'lost', after: 'x'},
    });
    assert.deepEqual(readInstanceQuery('state=__proto__&q=%ff'), {
      ...{search: '\ufffd', group: null, state: null, after: ''},
    });
    assert.equal(readRange('range=constructor'), 'week');
    assert.equal(readRange('range=day'), 'day');
  });
});
