/** `HOST:PORT` as people write where to listen. */
import {CodedError} from './errors.ts';

export class AddressError extends CodedError<'bad-address'> {}

/** `127.0.0.1:8000`, `[::1]:8000`, `localhost:0`. Throws AddressError. */
export function parseListenAddress(text: string): {host: string; port: number} {
  const [, v6, name, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? name;
  if (host === undefined || Number(port) > 65_535)
    throw new AddressError('bad-address', `"${text}" is no HOST:PORT`, {
      hint: 'write it like 127.0.0.1:8000, [::1]:8000, or 0.0.0.0:8000 for all networks',
    });
  return {host, port: Number(port)};
}
