/**
 * Ethernet frames as QEMU's `stream` network sends them over a socket: the length in four bytes, big-endian, then the
 * frame without its check sum (docs of QEMU, "Network emulation", and net/stream.c).
 *
 * Rejected: datagram sockets, where each frame comes whole and nothing needs to be cut. Node has none for Unix sockets.
 */
import {QemuError} from '../errors.ts';

/** Two addresses and a type, IEEE 802.3 clause 3.1.1. Short frames are not padded on a virtual cable. */
export const FRAME_MIN_BYTES = 14;
/** QEMU's own buffer for a frame (NET_BUFSIZE); it breaks off a connection that announces more. */
export const FRAME_MAX_BYTES = 4096 + 65_536;

const LENGTH_BYTES = 4;

/** What the switch reads of a frame. Addresses are 12 hex digits. */
export interface FrameHead {
  destination: string;
  source: string;
}

export function encodeFrame(frame: Uint8Array): Buffer {
  checkLength(frame.length);
  const message = Buffer.alloc(LENGTH_BYTES + frame.length);
  message.writeUInt32BE(frame.length);
  message.set(frame, LENGTH_BYTES);
  return message;
}

/** `frame` has at least FRAME_MIN_BYTES. */
export function decodeFrameHead(frame: Buffer): FrameHead {
  return {destination: frame.toString('hex', 0, 6), source: frame.toString('hex', 6, 12)};
}

/** Whether an address means several stations: the lowest bit of its first byte (IEEE 802, 8.2.2). */
export function isGroupAddress(address: string): boolean {
  return (Number.parseInt(address.slice(0, 2), 16) & 1) === 1;
}

/** Cuts a stream of bytes into frames, however they arrive. Holds less than one frame between two calls. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** Throws QemuError `bad-frame` for a length that no frame has; the stream cannot be read any further then. */
  push(chunk: Uint8Array): Buffer[] {
    const bytes = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(at);
      checkLength(length);
      const end = at + LENGTH_BYTES + length;
      if (end > bytes.length) break;
      frames.push(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    // A copy, so that a few bytes do not keep a large chunk alive.
    this.#rest = Buffer.from(bytes.subarray(at));
    return frames;
  }
}

function checkLength(length: number): void {
  if (length < FRAME_MIN_BYTES || length > FRAME_MAX_BYTES) {
    throw new QemuError(
      'bad-frame',
      `a frame of ${length} bytes; Ethernet has ${FRAME_MIN_BYTES} to ${FRAME_MAX_BYTES}`,
    );
  }
}
