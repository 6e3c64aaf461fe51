import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type HostAddress,
  chooseAddresses,
  parseDefaultRoutes,
} from '../../../../formats/cloud-config/choose-addresses.ts';

const at = (card: string, address: string): HostAddress => ({
  card,
  address,
  family: address.includes(':') ? 6 : 4,
});

describe('chooseAddresses', () => {
  it('takes those of the card with the default route', () => {
    const all = [
      at('docker0', '172.17.0.1'),
      at('eth0', '203.0.113.5'),
      at('eth0', '10.0.0.5'),
      at('eth0', '2001:db8::5'),
      at('eth0', 'fe80::1'),
    ];
    assert.deepEqual(chooseAddresses(all, ['eth0'], ''), {
      public_ipv4: '203.0.113.5',
      private_ipv4: '10.0.0.5',
      public_ipv6: '2001:db8::5',
      private_ipv6: '2001:db8::5',
    });
  });

  it('takes the one for the other where there is only one', () => {
    const {public_ipv4, private_ipv4, public_ipv6} = chooseAddresses(
      [at('eth0', '192.168.1.5')],
      ['eth0'],
      '',
    );
    assert.deepEqual([public_ipv4, private_ipv4, public_ipv6], ['192.168.1.5', '192.168.1.5', null]);
  });

  it('finds a private network on a second card', () => {
    const all = [at('eth0', '203.0.113.5'), at('eth1', '10.0.0.5'), at('docker0', '172.17.0.1')];
    assert.equal(chooseAddresses(all, ['eth0', 'eth1'], '').private_ipv4, '10.0.0.5');
    assert.equal(chooseAddresses(all, ['eth0'], '').private_ipv4, '203.0.113.5');
  });

  it('lets the operator decide', () => {
    const text =
      'COREOS_PRIVATE_IPV4="10.9.9.9"\nCOREOS_PUBLIC_IPV4=nonsense\nCOREOS_PUBLIC_IPV6=2001:db8::9\n';
    const chosen = chooseAddresses([at('eth0', '10.0.0.5')], ['eth0'], text);
    assert.deepEqual(
      [chosen.private_ipv4, chosen.public_ipv4, chosen.public_ipv6],
      ['10.9.9.9', '10.0.0.5', '2001:db8::9'],
    );
  });

  it('knows of none when there is none', () => {
    assert.deepEqual(
      new Set(Object.values(chooseAddresses([at('eth0', '169.254.1.1')], ['eth0'], ''))),
      new Set([null]),
    );
  });
});

describe('parseDefaultRoutes', () => {
  it('reads /proc/net/route, the lowest metric first', () => {
    const text = [
      'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
      'eth1\t00000000\t0202000A\t0003\t0\t0\t1024\t00000000\t0\t0\t0',
      'eth0\t00000000\t0202000A\t0003\t0\t0\t100\t00000000\t0\t0\t0',
      'eth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0',
      '',
    ].join('\n');
    assert.deepEqual(parseDefaultRoutes(text), ['eth0', 'eth1']);
    assert.deepEqual(parseDefaultRoutes(''), []);
  });
});
