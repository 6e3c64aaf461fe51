/**
 * The request of an Omaha client (protocol 3.0) as a value, written as update_engine of the lineage writes it and read
 * as its servers do. One model serves our client, our server and the tests. Attributes that we do not know are passed
 * over, absent ones read as empty: hosts of every age ask the same server.
 */
import {childOf, childrenOf, countOf, flagOf, requiredTextOf, textOf} from './attributes.ts';
import {OmahaError} from './errors.ts';
import {type XmlElement, decodeXml, element, encodeXml} from './xml.ts';

/** The app of Caisson on x86-64; what a host calls itself when it asks for updates. */
export const CAISSON_APP_ID = '{4cf3a2d6-5f0b-4e1c-9d57-0b1c8f6a7e42}';
export const OMAHA_CONTENT_TYPE = 'text/xml';

export interface OmahaRequest {
  /** `update_engine-0.4.10`: name and version of the asking program. */
  readonly updaterVersion: string;
  /** `scheduler`, or `ondemandupdate` when a person asked. */
  readonly installSource: string;
  readonly os: {
    readonly platform: string;
    readonly version: string;
    readonly sp: string;
    readonly arch: string;
  };
  readonly apps: readonly RequestApp[];
}

export interface RequestApp {
  readonly appId: string;
  /** What runs now. */
  readonly version: string;
  /** The group that the host follows. */
  readonly track: string;
  readonly board: string;
  /** 32 hex digits. */
  readonly machineId: string;
  readonly machineAlias: string;
  /** In braces. */
  readonly bootId: string;
  readonly oem: string;
  readonly oemVersion: string;
  /** The version that was installed first. */
  readonly alephVersion: string;
  readonly deltaOkay: boolean;
  readonly ping: boolean;
  readonly updateCheck: {
    /** Empty, or the beginning of the only versions that the host accepts. */
    readonly targetVersionPrefix: string;
  } | null;
  readonly events: readonly OmahaEvent[];
}

export interface OmahaEvent {
  readonly type: number;
  readonly result: number;
  /** Flag bits and all; null without the attribute. */
  readonly errorCode: number | null;
  /** Null without the attribute; an empty one means something else. */
  readonly previousVersion: string | null;
}

/** How clients say that nothing ran before. */
export const NO_VERSION = '0.0.0.0';

/** Of an event: the version that ran before, of a machine that had one and has not told it yet. */
export function versionBefore({previousVersion}: Pick<OmahaEvent, 'previousVersion'>): string | null {
  return previousVersion === '' || previousVersion === NO_VERSION ? null : previousVersion;
}

/** Real requests have one app; sysexts and OEM parts of the lineage bring a few more. */
const MAX_APPS = 16;
const MAX_EVENTS = 64;
const PROTOCOL = '3.0';

export function encodeRequest(request: OmahaRequest): Uint8Array {
  const {updaterVersion, installSource, os, apps} = request;
  return encodeXml(
    element(
      'request',
      {
        protocol: PROTOCOL,
        version: updaterVersion,
        updaterversion: updaterVersion,
        installsource: installSource,
        ismachine: 1,
      },
      [
        element('os', {version: os.version, platform: os.platform, sp: os.sp, arch: os.arch || undefined}),
        ...apps.map(appElement),
      ],
    ),
  );
}

function appElement(app: RequestApp): XmlElement {
  const attributes = {
    appid: app.appId,
    version: app.version,
    track: app.track,
    bootid: app.bootId,
    oem: app.oem,
    oemversion: app.oemVersion,
    alephversion: app.alephVersion,
    machineid: app.machineId,
    machinealias: app.machineAlias,
    lang: 'en-US',
    board: app.board,
    hardware_class: '',
    delta_okay: app.deltaOkay,
  };
  const prefix = app.updateCheck?.targetVersionPrefix;
  return element('app', attributes, [
    ...(app.ping ? [element('ping', {active: 1})] : []),
    ...(prefix === undefined ? [] : [element('updatecheck', {targetversionprefix: prefix || undefined})]),
    ...app.events.map(({type, result, errorCode, previousVersion}) =>
      element('event', {
        eventtype: type,
        eventresult: result,
        errorcode: errorCode ?? undefined,
        previousversion: previousVersion ?? undefined,
      }),
    ),
  ]);
}

/** Throws OmahaError. */
export function decodeRequest(bytes: Uint8Array): OmahaRequest {
  const root = decodeXml(bytes);
  if (root.name !== 'request')
    throw new OmahaError('bad-document', `a request is called request, not ${root.name}`);
  const protocol = textOf(root, 'protocol');
  if (protocol !== PROTOCOL)
    throw new OmahaError(
      'bad-document',
      `protocol ${JSON.stringify(protocol)}; only ${PROTOCOL} is spoken here`,
    );
  const os = childOf(root, 'os') ?? element('os', {});
  return {
    updaterVersion: textOf(root, 'updaterversion') || textOf(root, 'version'),
    installSource: textOf(root, 'installsource'),
    os: {
      platform: textOf(os, 'platform'),
      version: textOf(os, 'version'),
      sp: textOf(os, 'sp'),
      arch: textOf(os, 'arch'),
    },
    apps: childrenOf(root, 'app', MAX_APPS).map(decodeApp),
  };
}

function decodeApp(app: XmlElement): RequestApp {
  const check = childOf(app, 'updatecheck');
  return {
    appId: requiredTextOf(app, 'appid'),
    version: textOf(app, 'version'),
    track: textOf(app, 'track'),
    board: textOf(app, 'board'),
    machineId: textOf(app, 'machineid'),
    machineAlias: textOf(app, 'machinealias'),
    bootId: textOf(app, 'bootid'),
    oem: textOf(app, 'oem'),
    oemVersion: textOf(app, 'oemversion'),
    alephVersion: textOf(app, 'alephversion'),
    deltaOkay: flagOf(app, 'delta_okay'),
    ping: childOf(app, 'ping') !== undefined,
    updateCheck: check === undefined ? null : {targetVersionPrefix: textOf(check, 'targetversionprefix')},
    events: childrenOf(app, 'event', MAX_EVENTS).map((event) => ({
      type: countOf(event, 'eventtype') ?? 0,
      result: countOf(event, 'eventresult') ?? 0,
      errorCode: countOf(event, 'errorcode'),
      previousVersion: event.attributes.has('previousversion') ? textOf(event, 'previousversion') : null,
    })),
  };
}
