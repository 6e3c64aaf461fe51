/** What a file of a config holds, as the address that Ignition reads it from: `data:`, packed when that is shorter. */
import {gzipSync} from 'node:zlib';

export interface Source {
  readonly source: string;
  /** `gzip`, or empty: a config that it is merged with may say otherwise. */
  readonly compression: string;
}

/** The same content gives the same address: gzip carries no time. */
export function sourceOf(content: Uint8Array): Source {
  const bytes = Buffer.from(content);
  const plain = {source: shorterOf(bytes), compression: ''};
  // Packing saves nothing below this, and a text stays readable.
  if (plain.source.length < 512) return plain;
  const packed = {source: base64Of(gzipSync(bytes, {level: 9})), compression: 'gzip'};
  return packed.source.length < plain.source.length ? packed : plain;
}

function shorterOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) return base64Of(bytes);
  const escaped = `data:,${encodeURIComponent(text)}`;
  return escaped.length <= base64Of(bytes).length ? escaped : base64Of(bytes);
}

function base64Of(bytes: Buffer): string {
  return `data:;base64,${bytes.toString('base64')}`;
}
