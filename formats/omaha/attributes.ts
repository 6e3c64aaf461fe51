/** Reading the attributes of one element: what is missing, too long or no number is said with the element's name. */
import {OmahaError} from './errors.ts';
import type {XmlElement} from './xml.ts';

/** URLs are the longest values there are. */
const MAX_VALUE_CHARACTERS = 4096;

/** An attribute that is absent reads as empty, as it does for the clients and servers of the lineage. */
export function textOf(from: XmlElement, name: string): string {
  const value = from.attributes.get(name) ?? '';
  if (value.length > MAX_VALUE_CHARACTERS)
    throw new OmahaError('bad-document', `${from.name} ${name} has ${value.length} characters`);
  return value;
}

export function requiredTextOf(from: XmlElement, name: string): string {
  const value = textOf(from, name);
  if (value === '') throw new OmahaError('bad-document', `${from.name} has no ${name}`);
  return value;
}

/** `true` or `1`; anything else is false, as the lineage reads it. */
export function flagOf(from: XmlElement, name: string): boolean {
  return ['true', '1'].includes(textOf(from, name));
}

/** A decimal integer from 0 to 2^53-1; null when absent or empty. Throws for anything else. */
export function countOf(from: XmlElement, name: string): number | null {
  const value = textOf(from, name);
  if (value === '') return null;
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value)))
    throw new OmahaError(
      'bad-document',
      `${from.name} ${name} is ${JSON.stringify(value.slice(0, 40))}, no count`,
    );
  return Number(value);
}

/** All children of that name, at most `max`. */
export function childrenOf(from: XmlElement, name: string, max: number): readonly XmlElement[] {
  const found = from.children.filter((child) => child.name === name);
  if (found.length > max)
    throw new OmahaError('bad-document', `${from.name} has ${found.length} times ${name}, more than ${max}`);
  return found;
}

export function childOf(from: XmlElement, name: string): XmlElement | undefined {
  return from.children.find((child) => child.name === name);
}
