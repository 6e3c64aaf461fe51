import assert from 'node:assert/strict';
import {createPublicKey, verify} from 'node:crypto';
import {describe, it} from 'node:test';
import {
  type OpenedChannel,
  channelPath,
  openChannel,
  rereadChannel,
  signChannel,
} from '../../../../formats/channel-metadata/channel-file.ts';
import {CHANNEL_PAYLOAD_TYPE, MAX_ENVELOPE_BYTES} from '../../../../formats/channel-metadata/envelope.ts';
import {ChannelMetadataError} from '../../../../formats/channel-metadata/errors.ts';
import {keyFingerprint} from '../../../../formats/payload/keys.ts';
import {CHANNEL_KEY, channelDocument, signed} from '../../../support/channel.ts';
import {OTHER_KEY} from '../../../support/payload.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';

const KEYS = [CHANNEL_KEY.publicKey];
const DOCUMENT = channelDocument({groups: [{name: 'Edge', id: '0b2c', pin: '1.1.0'}]});
const FILE = signed(DOCUMENT);

const open = (bytes: Uint8Array, name = 'stable'): OpenedChannel => openChannel(bytes, KEYS, name);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ChannelMetadataError) return error.code;
    throw error;
  }
  return 'none';
}

/** The envelope with changes, written anew. */
function rewritten(change: (envelope: Record<string, unknown>) => void): Buffer {
  const envelope = JSON.parse(FILE.toString()) as Record<string, unknown>;
  change(envelope);
  return Buffer.from(JSON.stringify(envelope));
}

describe('a signed channel', () => {
  it('is read by whoever trusts one of the keys that signed it', () => {
    const file = signChannel(DOCUMENT, [OTHER_KEY.privateKey, CHANNEL_KEY.privateKey]);
    const {document, signedBy} = openChannel(file, [CHANNEL_KEY.publicKey], 'stable');
    assert.deepEqual(document, DOCUMENT);
    assert.equal(signedBy, keyFingerprint(CHANNEL_KEY.publicKey));
    assert.deepEqual(rereadChannel(file).document, DOCUMENT);
  });

  it('is a DSSE envelope that OpenSSL verifies', () => {
    const {payload, payloadType, signatures} = JSON.parse(FILE.toString()) as {
      payload: string;
      payloadType: string;
      signatures: {sig: string}[];
    };
    const body = Buffer.from(payload, 'base64');
    const encoded = Buffer.concat([
      Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `),
      body,
    ]);
    assert.equal(payloadType, CHANNEL_PAYLOAD_TYPE);
    const key = createPublicKey(CHANNEL_KEY.publicKey.export({type: 'spki', format: 'pem'}));
    assert.ok(verify('sha256', encoded, key, Buffer.from(signatures[0]?.sig ?? '', 'base64')));
  });

  it('is for the channel and its groups, in any case, and for nobody else', () => {
    for (const name of ['stable', 'STABLE', 'Edge', 'edge', '0B2C'])
      assert.equal(open(FILE, name).document.serial, 100);
    assert.equal(
      codeOf(() => open(FILE, 'alpha')),
      'other-channel',
    );
  });

  it('is refused when another key signed it, or none', () => {
    assert.equal(
      codeOf(() => open(signed(DOCUMENT, OTHER_KEY.privateKey))),
      'untrusted',
    );
    assert.equal(
      codeOf(() => openChannel(FILE, [], 'stable')),
      'untrusted',
    );
    assert.equal(
      codeOf(() => open(rewritten((file) => (file['signatures'] = [])))),
      'bad-envelope',
    );
  });

  it('does not take a signature of the same bytes as something else', () => {
    assert.equal(
      codeOf(() => open(rewritten((file) => (file['payloadType'] = 'text/plain')))),
      'bad-envelope',
    );
    const other = channelDocument({serial: 101});
    const {payload} = JSON.parse(signed(other).toString()) as {payload: string};
    assert.equal(
      codeOf(() => open(rewritten((file) => (file['payload'] = payload)))),
      'untrusted',
    );
  });

  it('has one spelling of its base64 and no unknown keys', () => {
    const {payload} = JSON.parse(FILE.toString()) as {payload: string};
    assert.equal(
      codeOf(() => open(rewritten((file) => (file['payload'] = `${payload}=`)))),
      'bad-envelope',
    );
    assert.equal(
      codeOf(() => open(rewritten((file) => (file['more'] = 1)))),
      'bad-envelope',
    );
  });

  it('is not read when it is too long, no JSON or no text', () => {
    assert.equal(
      codeOf(() => open(Buffer.alloc(MAX_ENVELOPE_BYTES + 1, ' '))),
      'bad-envelope',
    );
    for (const text of ['', '[]', 'null', '{', '"\u0000"'])
      assert.equal(
        codeOf(() => open(Buffer.from(text))),
        'bad-envelope',
      );
    assert.equal(
      codeOf(() => open(Buffer.from([0xff, 0xfe]))),
      'bad-envelope',
    );
  });

  it('says nothing else, whatever is changed in it', () => {
    fc.assert(
      fc.property(damaged(FILE), (bytes) => {
        succeedsOrThrows(ChannelMetadataError, () => {
          assert.deepEqual(open(bytes).document, DOCUMENT);
        });
      }),
    );
  });

  it('never says anything else for a changed bit of what was signed', () => {
    const envelope = JSON.parse(FILE.toString()) as {payload: string};
    const body = Buffer.from(envelope.payload, 'base64');
    for (let bit = 0; bit < 8 * body.length; bit += 1) {
      const changed = Buffer.from(body);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const file = rewritten((each) => (each['payload'] = changed.toString('base64')));
      assert.equal(
        codeOf(() => open(file)),
        'untrusted',
      );
    }
  });
});

describe('channelPath', () => {
  it('leaves the folder by no name', () => {
    assert.equal(channelPath('stable'), 'channels/stable.json');
    for (const name of ['', '..', '../x', 'a/b', '.hidden', 'a b'])
      assert.throws(() => channelPath(name), RangeError);
  });
});
