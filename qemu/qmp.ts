/** A client of QEMU's control socket: commands with a deadline, and events to wait for. */
import {once} from 'node:events';
import {connect, type Socket} from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Deadline, type Pending, waitUntil} from './deadline.ts';
import {QemuError} from './errors.ts';
import {decodeQmp, encodeQmp, type JsonObject, LineSplitter, type QmpMessage} from './qmp-messages.ts';

/** A command is answered at once unless QEMU is busy with the disk or this host with something else. */
const COMMAND_DEADLINE_MS = 120_000;
const CONNECT_RETRY_MS = 20;
const KEPT_EVENTS = 1_000;

export interface QmpEvent {
  name: string;
  data: JsonObject;
}

export interface EventWait extends Deadline {
  /** Only an event with such data counts; default any. */
  where?: (data: JsonObject) => boolean;
}

export class QmpClient {
  readonly #socket: Socket;
  readonly #replies = new Map<number, Pending<unknown> & {command: string}>();
  readonly #listeners = new Set<Pending<QmpEvent> & {accepts: (event: QmpEvent) => boolean}>();
  readonly #events: QmpEvent[] = [];
  #nextId = 1;
  #failure: QemuError | undefined;
  #greeting: Pending<string> | undefined;
  #version = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    const lines = new LineSplitter();
    socket.setEncoding('utf8').on('data', (chunk) => {
      try {
        for (const line of lines.push(String(chunk))) this.#receive(decodeQmp(line));
      } catch (error) {
        this.#fail(error instanceof QemuError ? error : new QemuError('bad-qmp', String(error)));
      }
    });
    socket.on('error', (error) =>
      this.#fail(new QemuError('exited', `QMP connection lost: ${error.message}`, {cause: error})),
    );
    socket.on('close', () => this.#fail(new QemuError('exited', 'QMP connection closed')));
  }

  /** Connects, retrying until QEMU listens, and negotiates. Throws QemuError `timed-out`, `bad-qmp` or `exited`. */
  static async connect(
    path: string,
    options: {deadlineMs: number; signal?: AbortSignal},
  ): Promise<QmpClient> {
    const until = performance.now() + options.deadlineMs;
    const client = new QmpClient(await connectSocket(path, until, options.signal));
    try {
      const left = {deadlineMs: until - performance.now(), signal: options.signal};
      client.#version = await client.#within<string>({...left, what: 'QMP greeting'}, (pending) => {
        client.#greeting = pending;
        return () => (client.#greeting = undefined);
      });
      await client.execute('qmp_capabilities', undefined, {deadlineMs: until - performance.now()});
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** QEMU's version, three numbers. */
  get version(): string {
    return this.#version;
  }

  /** The events seen so far, oldest first; the last thousand. */
  get events(): readonly QmpEvent[] {
    return this.#events;
  }

  /** Runs a command. Throws QemuError `qmp-refused` (QEMU's own words), `timed-out` or `exited`. */
  execute(
    command: string,
    args?: JsonObject,
    options: {deadlineMs?: number; signal?: AbortSignal} = {},
  ): Promise<unknown> {
    const id = this.#nextId++;
    const deadline = {deadlineMs: options.deadlineMs ?? COMMAND_DEADLINE_MS, signal: options.signal};
    return this.#within<unknown>({...deadline, what: `QMP command ${command}`}, (pending) => {
      this.#replies.set(id, {...pending, command});
      this.#socket.write(encodeQmp(id, command, args));
      return () => this.#replies.delete(id);
    });
  }

  /** The output of a command of the human monitor, for what QMP has no command for. */
  async monitor(commandLine: string): Promise<string> {
    return String(await this.execute('human-monitor-command', {'command-line': commandLine}));
  }

  /** The next event of this name from now on. Throws QemuError `timed-out` or `exited`. */
  waitForEvent(name: string, options: EventWait): Promise<QmpEvent> {
    const where = options.where ?? (() => true);
    return this.#within<QmpEvent>({...options, what: `QMP event ${name}`}, (pending) => {
      const listener = {...pending, accepts: (event: QmpEvent) => event.name === name && where(event.data)};
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  async #within<T>(
    options: Deadline & {what: string},
    register: (pending: Pending<T>) => () => void,
  ): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    const waited = Math.round(options.deadlineMs);
    const onDeadline = () => new QemuError('timed-out', `${options.what}: no answer within ${waited} ms`);
    return waitUntil({...options, onDeadline}, register);
  }

  #receive(message: QmpMessage): void {
    switch (message.kind) {
      case 'greeting':
        return this.#greeting?.resolve(message.version);
      case 'return':
        // An answer that came after its deadline has no one waiting.
        return this.#replies.get(message.id)?.resolve(message.value);
      case 'error': {
        const reply = message.id === undefined ? undefined : this.#replies.get(message.id);
        const error = new QemuError(
          'qmp-refused',
          `QEMU refused ${reply?.command ?? 'a request'}: ${message.description} (${message.errorClass})`,
        );
        if (message.id === undefined) this.#fail(error);
        return reply?.reject(error);
      }
      case 'event': {
        const event = {name: message.name, data: message.data};
        this.#events.push(event);
        if (this.#events.length > KEPT_EVENTS) this.#events.shift();
        for (const listener of this.#listeners) if (listener.accepts(event)) listener.resolve(event);
      }
    }
  }

  #fail(error: QemuError): void {
    this.#failure ??= error;
    for (const pending of [...this.#replies.values(), ...this.#listeners]) pending.reject(this.#failure);
    this.#greeting?.reject(this.#failure);
    this.#socket.destroy();
  }
}

async function connectSocket(path: string, until: number, signal: AbortSignal | undefined): Promise<Socket> {
  for (;;) {
    signal?.throwIfAborted();
    const socket = connect({path});
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      socket.destroy();
      if (performance.now() > until) {
        throw new QemuError('timed-out', `nobody listens on ${path}`, {cause: error});
      }
      await sleep(CONNECT_RETRY_MS);
    }
  }
}
