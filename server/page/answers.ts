/** Answers of the page, and the headers that all of them have. */
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import {withHeaders} from '../route.ts';

/** Scripts, styles and pictures of this server only, nothing within the page; no frame of others around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

const SECURITY = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Not `no-referrer`: with that, browsers send `Origin: null` with forms.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** What is shown to one person now is kept nowhere. */
export function secured(answer: ServerAnswer): ServerAnswer {
  const {headers} = answer;
  return withHeaders(answer, {
    ...SECURITY,
    ...('cache-control' in headers ? {} : {'cache-control': 'no-store'}),
  });
}

export function page(status: number, body: Uint8Array): ServerAnswer {
  return {status, headers: {'content-type': 'text/html; charset=utf-8'}, body};
}

/** To be asked for with GET. */
export function redirect(to: string, headers: Readonly<Record<string, string>> = {}): ServerAnswer {
  return {status: 303, headers: {location: to, ...headers}, body: Buffer.alloc(0)};
}
