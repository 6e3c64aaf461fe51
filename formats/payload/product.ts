/**
 * What a payload is for, in the per-partition version string of the signed manifest: PRODUCT/ARCHITECTURE/VERSION, for
 * example `caisson/x86-64/0.2.0`. A host can refuse a wrong product before it has downloaded anything but the manifest;
 * the format has no field of its own for that.
 */
import {isVersion} from '../version.ts';
import {PayloadError} from './types.ts';

export interface Product {
  /** IMAGE_ID of os-release. */
  id: string;
  architecture: string;
  version: string;
}

export function formatProduct({id, architecture, version}: Product): string {
  return `${id}/${architecture}/${version}`;
}

/** Throws PayloadError 'bad-manifest'. */
export function parseProduct(text: string): Product {
  const [id = '', architecture = '', version = '', ...rest] = text.split('/');
  const isName = (name: string): boolean => /^[a-z0-9][a-z0-9._-]{0,63}$/.test(name);
  if (rest.length > 0 || !isName(id) || !isName(architecture) || !isVersion(version))
    throw new PayloadError('bad-manifest', `${JSON.stringify(text)} is not PRODUCT/ARCHITECTURE/VERSION`);
  return {id, architecture, version};
}
