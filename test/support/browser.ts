/**
 * A headless Chromium, steered by its own protocol over a pipe: pages opened, looked at and photographed as a person's
 * browser shows them. What it complains about (errors of scripts, violations of the content policy, failed requests) is
 * kept, because nobody would see it otherwise.
 *
 * Rejected: a package for browser tests. A dozen commands of the protocol are all that is needed.
 */
import {spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Readable, Writable} from 'node:stream';

export interface Browser {
  openPage(view: View): Promise<BrowserPage>;
  close(): Promise<void>;
}

export interface View {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
  /** As for somebody who switched it off. */
  readonly withoutScript?: boolean;
}

export interface BrowserPage {
  goTo(url: string): Promise<void>;
  /** Gives what the expression is worth; a promise is waited for. Works without script in the page, too. */
  evaluate<T>(expression: string): Promise<T>;
  /** Tries until it is true. Throws after the deadline. */
  until(expression: string): Promise<void>;
  /** Does what leads to another page, and waits for that. */
  follow(expression: string): Promise<void>;
  /** A PNG of the whole page. */
  picture(): Promise<Buffer>;
  complaints(): readonly string[];
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: {readonly message: string};
}

const DEADLINE_MS = 90_000;

export async function startBrowser(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'chromium-'));
  const options = [
    ...['--headless=new', '--remote-debugging-pipe', `--user-data-dir=${profile}`, '--no-first-run'],
    ...['--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-sync'],
    ...['--disable-extensions', '--disable-component-update', '--hide-scrollbars', '--no-proxy-server'],
    // Its sandbox takes no root.
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  ];
  const child = spawn('chromium', options, {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const waiting = new Map<
    number,
    {resolve: (value: Record<string, unknown>) => void; reject: (error: Error) => void}
  >();
  const listeners = new Set<(message: Message) => void>();
  let number = 0;
  let rest = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const message = JSON.parse(part) as Message;
      const pending = message.id === undefined ? undefined : waiting.get(message.id);
      if (message.id !== undefined) waiting.delete(message.id);
      if (message.error !== undefined) pending?.reject(new Error(message.error.message));
      else pending?.resolve(message.result ?? {});
      for (const listener of listeners) listener(message);
    }
  });
  input.on('error', () => undefined);
  void ended.then(() => {
    for (const {reject} of waiting.values()) reject(new Error('Chromium ended'));
  });

  function send(
    method: string,
    params: Record<string, unknown> = {},
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    number += 1;
    const id = number;
    return new Promise((resolve, reject) => {
      waiting.set(id, {resolve, reject});
      input.write(
        `${JSON.stringify({id, method, params, ...(sessionId === undefined ? {} : {sessionId})})}\0`,
      );
    });
  }

  async function openPage({width, height, scheme, withoutScript = false}: View): Promise<BrowserPage> {
    // Cookies are those of the page alone.
    const {browserContextId} = await send('Target.createBrowserContext');
    const {targetId} = await send('Target.createTarget', {url: 'about:blank', browserContextId});
    const {sessionId} = (await send('Target.attachToTarget', {targetId, flatten: true})) as {
      sessionId: string;
    };
    const found: string[] = [];
    let loads = 0;
    const listener = ({method, params, sessionId: from}: Message): void => {
      if (from !== sessionId) return;
      if (method === 'Page.loadEventFired') loads += 1;
      const complaint = complaintOf(method, params);
      if (complaint !== null) found.push(complaint);
    };
    listeners.add(listener);
    const tell = (method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> =>
      send(method, params, sessionId);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await tell(`${domain}.enable`);
    await tell('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 600,
    });
    await tell('Emulation.setEmulatedMedia', {features: [{name: 'prefers-color-scheme', value: scheme}]});
    if (withoutScript) await tell('Emulation.setScriptExecutionDisabled', {value: true});

    async function evaluate<T>(expression: string): Promise<T> {
      const {result, exceptionDetails} = (await tell('Runtime.evaluate', {
        expression,
        awaitPromise: true,
        returnByValue: true,
      })) as {result: {value: T}; exceptionDetails?: {text: string; exception?: {description?: string}}};
      if (exceptionDetails !== undefined)
        throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
      return result.value;
    }

    async function settled(act: () => Promise<unknown>): Promise<void> {
      const before = loads;
      await act();
      await eventually(() => Promise.resolve(loads > before), 'a page that loads');
    }

    return {
      goTo: (url) => settled(() => tell('Page.navigate', {url})),
      evaluate,
      until: (expression) => eventually(() => evaluate<boolean>(expression).catch(() => false), expression),
      follow: (expression) => settled(() => evaluate(`${expression}, 0`)),
      async picture() {
        const {cssContentSize} = (await tell('Page.getLayoutMetrics')) as {
          cssContentSize: {width: number; height: number};
        };
        const clip = {x: 0, y: 0, width, height: Math.ceil(cssContentSize.height), scale: 1};
        const {data} = await tell('Page.captureScreenshot', {
          format: 'png',
          captureBeyondViewport: true,
          clip,
        });
        return Buffer.from(data as string, 'base64');
      },
      complaints: () => found,
      async close() {
        listeners.delete(listener);
        await send('Target.disposeBrowserContext', {browserContextId});
      },
    };
  }

  await send('Browser.getVersion');
  return {
    openPage,
    async close() {
      await send('Browser.close').catch(() => undefined);
      await ended;
      await rm(profile, {recursive: true, force: true, maxRetries: 5});
    },
  };
}

function complaintOf(method: string | undefined, params: Record<string, unknown> = {}): string | null {
  if (method === 'Runtime.exceptionThrown') return JSON.stringify(params['exceptionDetails']).slice(0, 500);
  if (method === 'Runtime.consoleAPICalled' && params['type'] === 'error')
    return JSON.stringify(params['args']);
  if (method !== 'Log.entryAdded') return null;
  const {level, text, url} = params['entry'] as {level: string; text: string; url?: string};
  return level === 'error' || level === 'warning' ? `${level}: ${text} ${url ?? ''}` : null;
}

async function eventually(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !(await isSo());) {
    if (Date.now() > deadline) throw new Error(`not within ${DEADLINE_MS / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
