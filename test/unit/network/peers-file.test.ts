import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { networkIdOf } from '../../../src/chain/params.ts'
import { CairnError } from '../../../src/common/errors.ts'
import { encodePeersFile, parsePeersFile, readPeersFile } from '../../../src/network/peers-file.ts'
import { NETWORK } from './fake-chain.ts'

const parameters = {
  version: 1,
  founder: '11'.repeat(32),
  salt: '22'.repeat(16),
  time: 5,
  difficultyFloor: 1,
  admission: 'open',
}

describe('peers file', () => {
  it('reads the example', () => {
    const example = readFileSync(new URL('../../../peers.example.json', import.meta.url), 'utf8')
    const config = parsePeersFile(example, 'peers.example.json')
    assert.deepEqual(config.listen, ['/ip4/0.0.0.0/tcp/4005'])
    assert.equal(config.lan, false)
  })

  it('reads what it writes', () => {
    const bootstrap = ['/ip4/10.0.0.1/tcp/4005', '/ip4/10.0.0.1/tcp/4005', '/dns/a.example/tcp/1']
    const config = parsePeersFile(
      JSON.stringify(encodePeersFile({ network: NETWORK, bootstrap })),
      'p',
    )
    assert.equal(config.network, NETWORK)
    assert.deepEqual(config.bootstrap, [bootstrap[0], bootstrap[2]])
  })

  it('takes the network from the parameters', () => {
    const config = parsePeersFile(JSON.stringify({ parameters }), 'p')
    assert.ok(config.parameters !== undefined)
    assert.equal(config.network, networkIdOf(config.parameters))
    assert.equal(config.parameters.founder.length, 32)
  })

  const wrong: Record<string, [string, string]> = {
    'text that is no JSON': ['{', 'the content'],
    'a list': ['[]', 'the content'],
    'an unknown key': ['{"bootstraps":[]}', 'the key "bootstraps"'],
    'a network that is none': ['{"network":"Qmfoo"}', 'network'],
    'a lan of text': ['{"lan":"yes"}', 'lan'],
    'one address without a list': ['{"listen":"/ip4/127.0.0.1/tcp/1"}', 'listen'],
    'a bad address': ['{"bootstrap":["/ip4/127.0.0.1/tcp/1","nowhere"]}', 'bootstrap[1]'],
    'a number as an address': ['{"relays":[7]}', 'relays[0]'],
    'an address of QUIC': ['{"listen":["/ip4/0.0.0.0/udp/4005/quic-v1"]}', 'listen[0]'],
    'parameters with a short key': [
      JSON.stringify({ parameters: { ...parameters, founder: '11' } }),
      'parameters',
    ],
    'parameters of another network': [
      JSON.stringify({ network: NETWORK, parameters }),
      'parameters',
    ],
    'parameters that are text': ['{"parameters":"x"}', 'parameters'],
  }
  for (const [name, [content, key]] of Object.entries(wrong)) {
    it(`PEERS_FILE: ${name}`, () => {
      assert.throws(
        () => parsePeersFile(content, 'my.json'),
        (error: unknown) => {
          assert.ok(error instanceof CairnError)
          assert.equal(error.code, 'PEERS_FILE')
          assert.equal(error.details.key, key)
          assert.match(
            error.message,
            /^The peers file my\.json cannot be used: .+ is .+, allowed is .+/,
          )
          return true
        },
      )
    })
  }

  it('PEERS_FILE_READ: a file that is not there', async () => {
    await assert.rejects(readPeersFile('/nonexistent/peers.json'), { code: 'PEERS_FILE_READ' })
  })
})
