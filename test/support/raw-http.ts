/** Words of HTTP as no client would send them, and what comes back. */
import type {Socket} from 'node:net';
import {dial} from './http-load.ts';

/** All that the server says until it closes the connection. */
export async function saySomething(
  port: number,
  ...parts: readonly (string | Uint8Array)[]
): Promise<string> {
  const socket = await dial(port);
  for (const part of parts) socket.write(part);
  return hearOut(socket);
}

/** Until the server closes the connection, in order or not. */
export function hearOut(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (data) => (text += data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

/** Of the first answer; null without one. */
export function statusOf(answer: string): number | null {
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
  return status === undefined ? null : Number(status);
}
