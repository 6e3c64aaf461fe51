/**
 * XML as far as Omaha uses it: elements and attributes. The one importer of the XML parser, which is kept on a short
 * lead: a small document, a small depth, no DOCTYPE, and entities are left to the dozen lines here, because expanding
 * them is where XML parsers have been broken again and again. Text between elements is passed over; Omaha has none.
 *
 * Writing is ours: the parser's builder guesses what to escape from the shape of an object.
 */
import {XMLParser, XMLValidator} from 'fast-xml-parser';
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

const ATTRIBUTES_KEY = ':@';
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: MAX_DEPTH,
});

/** Reads a whole document. Throws OmahaError 'too-large' or 'bad-xml'. */
export function decodeXml(bytes: Uint8Array): XmlElement {
  if (bytes.length > MAX_XML_BYTES)
    throw new OmahaError('too-large', `${bytes.length} bytes of XML, more than ${MAX_XML_BYTES}`);
  const text = decodeText(bytes);
  // Before any parser sees it. In comments, too: nobody writes that into an honest document.
  if (/<!\s*(DOCTYPE|ENTITY)/i.test(text)) throw new OmahaError('bad-xml', 'a DOCTYPE is not accepted');
  const roots = parse(text).filter((node) => nameOf(node) !== '#text');
  const [root] = roots;
  if (root === undefined || roots.length > 1)
    throw new OmahaError('bad-xml', `the document has ${roots.length} outermost elements, not one`);
  return toElement(root);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes);
  } catch (error) {
    throw new OmahaError('bad-xml', 'the document is not UTF-8', {cause: error});
  }
}

type Node = Readonly<Record<string, unknown>>;

function parse(text: string): readonly Node[] {
  try {
    // The parser by itself closes what was left open.
    const validity = XMLValidator.validate(text);
    if (validity !== true) throw new Error(`line ${validity.err.line}: ${validity.err.msg}`);
    return parser.parse(text) as readonly Node[];
  } catch (error) {
    const message = (error as Error).message.slice(0, MAX_MESSAGE_CHARACTERS);
    throw new OmahaError('bad-xml', `not well-formed XML: ${message}`, {cause: error});
  }
}

function nameOf(node: Node): string {
  return Object.keys(node).find((key) => key !== ATTRIBUTES_KEY) ?? '#text';
}

function toElement(node: Node): XmlElement {
  const name = nameOf(node);
  const attributes = Object.entries((node[ATTRIBUTES_KEY] ?? {}) as Record<string, string>);
  const children = (node[name] as readonly Node[]).filter((child) => nameOf(child) !== '#text');
  return {
    name,
    attributes: new Map(attributes.map(([key, value]) => [key, decodeEntities(value)])),
    children: children.map(toElement),
  };
}

/** XML 1.0, section 4.6. */
const PREDEFINED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function decodeEntities(value: string): string {
  if (value.includes('<')) throw new OmahaError('bad-xml', 'the value of an attribute has a bare "<"');
  const decoded = value.replaceAll(/&([^;&]{0,12};?)/g, (whole, body: string) => {
    const name = body.endsWith(';') ? body.slice(0, -1) : '';
    const character = PREDEFINED.get(name) ?? characterOf(name);
    if (character === undefined)
      throw new OmahaError('bad-xml', `${JSON.stringify(whole)} is no character reference that XML has`);
    return character;
  });
  const odd = unwritable(decoded);
  if (odd !== undefined)
    throw new OmahaError('bad-xml', `the value of an attribute has the character ${odd}`);
  return decoded;
}

function characterOf(reference: string): string | undefined {
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(reference) ?? [];
  const code = hex === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hex, 16);
  return code <= 0x10_ffff ? String.fromCodePoint(code) : undefined;
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
