/**
 * XML as far as Omaha uses it: elements and attributes. The one importer of the XML parser, which holds a document to all
 * of XML 1.0 in one pass, and does not know how to expand an entity of the document's own. Kept on a short lead beside
 * that: a small document, a small depth, no DOCTYPE. Text between elements is passed over; Omaha has none.
 *
 * Rejected: fast-xml-parser, which closes what was left open and passes over what it does not know, so that it takes a
 * second pass and a list of exceptions to be strict, in four times the time.
 *
 * Writing is ours: builders guess what to escape from the shape of an object.
 */
import {XmlElement as ParsedElement, type XmlDocument, parseXml} from '@rgrove/parse-xml';
import {OmahaError} from './errors.ts';

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
}

/** Real documents have one to four KiB. */
export const MAX_XML_BYTES = 1 << 20;
/** response/app/updatecheck/manifest/packages/package are six. */
const MAX_DEPTH = 16;
const MAX_MESSAGE_CHARACTERS = 200;

/** Reads a whole document. Throws OmahaError 'too-large' or 'bad-xml'. */
export function decodeXml(bytes: Uint8Array): XmlElement {
  if (bytes.length > MAX_XML_BYTES)
    throw new OmahaError('too-large', `${bytes.length} bytes of XML, more than ${MAX_XML_BYTES}`);
  const text = decodeText(bytes);
  // Before any parser sees it. In comments, too: nobody writes that into an honest document.
  if (/<!\s*DOCTYPE/i.test(text)) throw new OmahaError('bad-xml', 'a DOCTYPE is not accepted');
  const {root} = parse(text);
  if (root === null) throw new OmahaError('bad-xml', 'not well-formed XML: there is no element');
  return toElement(root, 1);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes);
  } catch (error) {
    throw new OmahaError('bad-xml', 'the document is not UTF-8', {cause: error});
  }
}

/** Elements too deep within each other end the parser's recursion with an error, too. */
function parse(text: string): XmlDocument {
  try {
    return parseXml(text);
  } catch (error) {
    const [reason = ''] = (error as Error).message.split('\n');
    throw new OmahaError('bad-xml', `not well-formed XML: ${reason.slice(0, MAX_MESSAGE_CHARACTERS)}`, {
      cause: error,
    });
  }
}

function toElement({name, attributes, children}: ParsedElement, depth: number): XmlElement {
  if (depth > MAX_DEPTH) throw new OmahaError('bad-xml', `more than ${MAX_DEPTH} elements within each other`);
  const elements = children.filter((child) => child instanceof ParsedElement);
  return {
    name,
    attributes: new Map(Object.entries(attributes)),
    children: elements.map((child) => toElement(child, depth + 1)),
  };
}

/** The code of the first character that XML 1.0 (section 2.2) has no room for, as U+0001. */
function unwritable(text: string): string | undefined {
  const found = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u.exec(text)?.[0];
  return found === undefined
    ? undefined
    : `U+${found.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** An element to be written. Attributes that are undefined are left out. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | boolean | undefined>>,
  children: readonly XmlElement[] = [],
): XmlElement {
  const present = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return {name, attributes: new Map(present.map(([key, value]) => [key, String(value)])), children};
}

/** Throws OmahaError 'bad-value' for characters that XML cannot carry. */
export function encodeXml(root: XmlElement): Uint8Array {
  return new TextEncoder().encode(`<?xml version="1.0" encoding="UTF-8"?>\n${write(root, '')}`);
}

/** Never an empty-element tag: clients of the lineage were only ever shown the long form. */
function write({name, attributes, children}: XmlElement, indent: string): string {
  const pairs = [...attributes].map(([key, value]) => ` ${key}="${escape(key, value)}"`).join('');
  const inner = children.map((child) => write(child, `${indent}  `)).join('');
  return inner === ''
    ? `${indent}<${name}${pairs}></${name}>\n`
    : `${indent}<${name}${pairs}>\n${inner}${indent}</${name}>\n`;
}

const ESCAPES: Readonly<Record<string, string>> = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'};

function escape(key: string, value: string): string {
  const odd = unwritable(value);
  if (odd !== undefined)
    throw new OmahaError('bad-value', `${key} has the character ${odd}, which XML cannot carry`);
  // White space other than blanks would come back as blanks (XML 1.0, section 3.3.3).
  return value.replaceAll(
    /[&<>"\t\n\r]/g,
    (character) => ESCAPES[character] ?? `&#${character.charCodeAt(0)};`,
  );
}
