import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {Page} from '../../../../server/page/layout.ts';
import {renderPage} from '../../../../server/page/layout.ts';
import type {
  ChannelLine,
  GroupState,
  InstanceDetails,
  ReleaseDetails,
  Viewer,
} from '../../../../server/page/model.ts';
import {groupPage} from '../../../../server/page/views/group.ts';
import {instancePage} from '../../../../server/page/views/instance.ts';
import {instancesPage} from '../../../../server/page/views/instances.ts';
import {overviewPage} from '../../../../server/page/views/overview.ts';
import {problemPage} from '../../../../server/page/views/problem.ts';
import {promotePage} from '../../../../server/page/views/promote.ts';
import {releasePage} from '../../../../server/page/views/release.ts';
import {releasesPage} from '../../../../server/page/views/releases.ts';
import {signInPage} from '../../../../server/page/views/sign-in.ts';
import {PROGRESS_NAMES, type ProgressName} from '../../../../server/rollout/tally.ts';
import {fc} from '../../../support/property.ts';

const NOW = Date.UTC(2026, 10, 21, 20);
const HOUR = 3_600_000;
const ASSETS = {style: '/ui/assets/style.css', script: '/ui/assets/live.js', icon: '/ui/assets/icon.svg'};
const VIEWER: Viewer = {name: 'ops', role: 'admin', csrf: 'abc'};

/** Every text that comes from outside is `text`. */
function group(text: string, changes: Partial<GroupState> = {}): GroupState {
  const counts = Object.fromEntries(PROGRESS_NAMES.map((name, index) => [name, index])) as Record<
    ProgressName,
    number
  >;
  return {
    name: text,
    channel: text,
    target: text,
    startedAt: NOW - 5 * HOUR,
    stopped: {kind: 'halted', at: NOW - HOUR, reason: text},
    counts,
    outcomes: {good: 3, failed: 2, rolledBack: 1, lost: 1},
    machines: 45,
    granted: 9,
    silent: 2,
    silentAfterMs: 3 * HOUR,
    versions: [{version: text, machines: 45}],
    ...changes,
  };
}
const channel = (text: string): ChannelLine => ({
  ...{name: text, version: text, promotedAt: NOW - HOUR, promotedBy: text, publishedAt: NOW - 3 * HOUR},
  groups: [text, text],
});
const machine = (text: string): InstanceDetails => ({
  ...{id: text, alias: text, group: text, version: text, oem: text, oemVersion: text, alephVersion: text},
  ...{board: text, firstSeenAt: NOW - 9 * HOUR, lastSeenAt: NOW, progressAt: NOW, prefix: text, setbacks: 2},
  progress: {kind: 'in-flight', version: text, stage: 'downloading', grantedAt: NOW},
  timeline: [
    {kind: 'grant', at: NOW, machineId: text, groupId: text, version: text},
    ...[2, 0].map((result) => ({
      ...{kind: 'event' as const, at: NOW, machineId: text, groupId: text, version: text, type: 3, result},
      ...{errorCode: result === 0 ? 44 : null, previousVersion: text},
    })),
  ],
  isCut: true,
});
const release = (text: string): ReleaseDetails => ({
  ...{
    version: text,
    publishedAt: NOW - HOUR,
    bytes: 201_000_000,
    isWithdrawn: false,
    channels: [text],
    machines: 4,
  },
  ...{sha256: text, publishedBy: text, signedBy: text, withdrawnWhy: text, notes: text, packages: 2},
  sbomHref: '/ui/releases/1.2.0/sbom.spdx.json',
  files: [{name: text, bytes: 5000, sha256: text}],
  changes: {since: text, list: [{name: text, before: text, after: text}]},
  allChannels: [channel(text), {...channel(text), version: '1.0.0'}],
});
const query = (text: string): Parameters<typeof instancesPage>[0]['query'] => ({
  ...{search: text, group: text, state: null, after: text},
});

const VIEWS: Readonly<Record<string, (text: string) => Page>> = {
  overview: (text) => overviewPage({channels: [channel(text)], groups: [group(text)]}, NOW),
  group: (text) =>
    groupPage(
      {
        state: group(text),
        policy: [[text, text]],
        samples: [1, 0].map((hours) => ({at: NOW - hours * HOUR, counts: [{version: text, machines: 45}]})),
        range: 'week',
      },
      {...VIEWER, name: text, csrf: text},
      NOW,
    ),
  instances: (text) =>
    instancesPage({query: query(text), lines: [machine(text)], total: 1, next: text, groups: [text]}, NOW),
  instance: (text) => instancePage(machine(text), NOW),
  releases: (text) => releasesPage([release(text)], NOW),
  release: (text) => releasePage(release(text), VIEWER, NOW),
  promote: (text) =>
    promotePage({version: text, channel: channel(text), machines: 3, isBackwards: true}, VIEWER),
  problem: (text) => problemPage(text, text, text),
  'sign-in': (text) => signInPage(text, text),
};

const markupOf = (page: Page, viewer: Viewer | null = VIEWER): string =>
  Buffer.from(renderPage(page, {viewer, assets: ASSETS})).toString();

/** The tags with the names of their attributes: what the browser makes of the page, whatever stands in it. */
function skeleton(markup: string): readonly string[] {
  return [...markup.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, '""'));
}

describe('every view', () => {
  for (const [name, view] of Object.entries(VIEWS)) {
    it(`shows any text as text: ${name}`, () => {
      const expected = skeleton(markupOf(view('plain')));
      const hostile = fc.oneof(
        fc.string({unit: 'binary', minLength: 1, maxLength: 20}),
        fc.constantFrom(
          '<script>alert(1)</script>',
          '"><img src=x onerror=alert(1)>',
          "' onclick='",
          '-->',
          ']]>',
          '</title>',
        ),
      );
      fc.assert(
        fc.property(hostile, (text) => {
          assert.deepEqual(skeleton(markupOf(view(text))), expected);
        }),
        {numRuns: 40},
      );
    });

    it(`has no script, style or handler within: ${name}`, () => {
      const tags = skeleton(markupOf(view('plain'))).join('\n');
      assert.doesNotMatch(tags, /<style|<script>|\sstyle=|\son\w+=/);
      assert.doesNotMatch(markupOf(view('plain')), /javascript:/);
    });
  }

  it('leads nowhere else, whatever names are', () => {
    for (const view of Object.values(VIEWS)) {
      const text = '//evil.example/?a=b&c#d';
      const links = [...markupOf(view(text)).matchAll(/\s(?:href|action|src)="([^"]*)"/g)].map(
        ([, href]) => href ?? '',
      );
      for (const href of links) assert.match(href, /^(\/ui\/|#)/);
    }
  });

  it('has parts with names that occur once', () => {
    for (const view of Object.values(VIEWS)) {
      const ids = [...markupOf(view('plain')).matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
      assert.deepEqual(ids, [...new Set(ids)]);
    }
  });
});

describe('what a role is offered', () => {
  const samples = [{at: NOW, counts: []}];
  const shown = (role: Viewer['role'], changes: Partial<GroupState> = {}): string =>
    markupOf(
      groupPage({state: group('web', changes), policy: [], samples, range: 'day'}, {...VIEWER, role}, NOW),
    );

  it('lets an admin resume, pause and retry', () => {
    assert.match(shown('admin'), /action="\/ui\/groups\/web\/resume"/);
    assert.match(shown('admin', {stopped: null}), /action="\/ui\/groups\/web\/pause"/);
    assert.match(shown('admin'), /action="\/ui\/groups\/web\/retry"/);
  });

  it('lets nobody else, and says who can', () => {
    for (const role of ['read', 'publish'] as const) {
      assert.doesNotMatch(shown(role), /action="\/ui\/groups/);
      assert.match(shown(role), /admin token can resume/);
    }
  });

  it('lets publishers promote, and readers not', () => {
    const of = (role: Viewer['role']): string =>
      markupOf(releasePage(release('1.2.0'), {...VIEWER, role}, NOW));
    assert.match(of('publish'), /Promote 1\.2\.0 to/);
    assert.doesNotMatch(of('read'), /Promote/);
  });

  it('has a form token in every form that changes something', () => {
    for (const view of Object.values(VIEWS))
      for (const [form] of markupOf(view('plain')).matchAll(/<form[^>]*method="post"[\s\S]*?<\/form>/g))
        assert.match(form, /name="csrf"|action="\/ui\/sign-in"/);
  });
});

describe('empty pages', () => {
  it('say what will be there', () => {
    assert.match(markupOf(overviewPage({channels: [], groups: []}, NOW)), /no groups yet/);
    const nobody = {
      query: {search: '', group: null, state: null, after: ''},
      lines: [],
      total: 0,
      next: null,
      groups: [],
    };
    assert.match(markupOf(instancesPage(nobody, NOW)), /No machine has asked yet/);
    assert.match(
      markupOf(instancesPage({...nobody, query: {...nobody.query, search: 'x'}}, NOW)),
      /No machine is like that/,
    );
    assert.match(markupOf(releasesPage([], NOW)), /Nothing was published/);
  });
});
