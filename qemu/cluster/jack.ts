/**
 * One jack of the switch: a Unix socket that a machine's network card is plugged into. A machine that is started anew
 * takes the place of the one before.
 *
 * A jack never lets the other side decide how much memory it takes: what a slow machine does not read is dropped, as on
 * a real switch, and whoever sent it sends it again or does not.
 */
import {rm} from 'node:fs/promises';
import {createServer, type Server, type Socket} from 'node:net';
import {encodeFrame, FrameSplitter} from './frames.ts';

/** Some 700 full frames: more than a machine with a stopped processor should find waiting. */
export const QUEUE_MAX_BYTES = 1024 * 1024;

export interface JackCounters {
  /** From the machine. */
  received: number;
  /** To the machine. */
  sent: number;
  /** To the machine, but it did not read. */
  dropped: number;
}

export interface JackEvents {
  onFrame: (frame: Buffer) => void;
  /** The cable was pulled; with the reason when the machine sent something that is no frame. */
  onUnplug: (error: Error | undefined) => void;
}

export class Jack {
  readonly path: string;
  readonly counters: JackCounters = {received: 0, sent: 0, dropped: 0};
  readonly #events: JackEvents;
  readonly #server: Server;
  #cable: Socket | undefined;

  private constructor(path: string, events: JackEvents) {
    this.path = path;
    this.#events = events;
    this.#server = createServer((cable) => this.#plug(cable));
  }

  /** Listens at `path` (at most 107 bytes, unix(7)). Throws the system's error. */
  static async open(path: string, events: JackEvents): Promise<Jack> {
    const jack = new Jack(path, events);
    await rm(path, {force: true});
    await new Promise<void>((resolve, reject) => {
      jack.#server.once('error', reject).listen(path, resolve);
    });
    return jack;
  }

  get isPlugged(): boolean {
    return this.#cable !== undefined;
  }

  send(frame: Uint8Array): void {
    const cable = this.#cable;
    if (cable === undefined) return;
    if (cable.writableLength + frame.length > QUEUE_MAX_BYTES) {
      this.counters.dropped += 1;
      return;
    }
    this.counters.sent += 1;
    cable.write(encodeFrame(frame));
  }

  async close(): Promise<void> {
    this.#cable?.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await rm(this.path, {force: true});
  }

  #plug(cable: Socket): void {
    this.#cable?.destroy();
    this.#cable = cable;
    const frames = new FrameSplitter();
    let failure: Error | undefined;
    cable.on('data', (chunk: Buffer) => {
      try {
        for (const frame of frames.push(chunk)) {
          this.counters.received += 1;
          this.#events.onFrame(frame);
        }
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
        cable.destroy();
      }
    });
    // QEMU that was killed; 'close' follows.
    cable.on('error', () => undefined);
    cable.on('close', () => {
      if (this.#cable !== cable) return;
      this.#cable = undefined;
      this.#events.onUnplug(failure);
    });
  }
}
