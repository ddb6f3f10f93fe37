/** `verify-certificate` as a process of its own: no node, no network, no data directory. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ContentId, VersionId } from '../../src/chain/ids.ts'
import { signEd25519 } from '../../src/common/crypto.ts'
import { createCertificates } from '../../src/services/certificates/certificates.ts'
import { importContent } from '../../src/services/files/import.ts'
import { createChainNode, handClock, seedOf } from '../helpers/chain-node.ts'

const PROGRAM = fileURLToPath(new URL('../../src/interfaces/cli/main.ts', import.meta.url))
const NAME = 'con\u200etract.pdf'

describe('verify-certificate', function () {
  this.timeout(60_000)
  const { signal } = new AbortController()
  const bytes = Buffer.from('the words of the contract')
  let directory: string
  let page: Buffer
  let certificate: string

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-certificate-'))
    const clock = handClock(1_700_000_100_000)
    const ada = createChainNode('ada', { clock })
    await ada.chain.start()
    await ada.join()
    const source = (async function* () {
      yield bytes
    })()
    const imported = await importContent({ putVerified: async () => {} }, source, { signal })
    const { identity } = await ada.publish({
      type: 'file.add',
      body: {
        ...imported,
        root: imported.root as ContentId,
        visibility: 'public',
        name: NAME,
        folder: [],
        mediaType: 'application/pdf',
      },
    })
    await ada.mine()
    const service = createCertificates(
      {
        store: ada.store,
        signer: { device: ada.device, sign: (message) => signEd25519(seedOf('ada'), message) },
        clock,
        metadataKeyOf: async () => undefined,
      },
      ada.params,
    )
    page = Buffer.from(await service.of(identity as VersionId, signal))
    certificate = join(directory, 'certificate.html')
    await writeFile(certificate, page)
    await writeFile(join(directory, 'contract.pdf'), bytes)
    await writeFile(join(directory, 'other.pdf'), 'the words of another')
    await ada.chain.stop()
  })
  after(() => rm(directory, { recursive: true, force: true }))

  async function verify(
    ...args: string[]
  ): Promise<{ code: number | null; out: string; err: string }> {
    // A home that is not there: nothing is read from it and nothing made.
    const home = join(directory, 'home')
    const env = { PATH: process.env.PATH ?? '', HOME: home, CAIRN_DATA_DIR: join(home, 'data') }
    const child = spawn(process.execPath, [PROGRAM, 'verify-certificate', ...args], { env })
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, out, err }
  }

  it('says what it proves and what not', async () => {
    const ran = await verify(certificate, '--file', join(directory, 'contract.pdf'))
    assert.equal(ran.code, 0, ran.err)
    assert.match(ran.out, /^the certificate is right\n/)
    assert.match(ran.out, /contract\.pdf has exactly the certified bytes, SHA-256 and CID\./)
    assert.match(ran.out, /It proves:[\s\S]*It only states:[\s\S]*It does not prove:/)
    assert.match(ran.out, /no time stamp of an authority/)
    assert.match(ran.out, /sealed by devices of the same user/)
    // What turns the direction of writing does not reach the terminal.
    assert.ok(!ran.out.includes('\u200e'))
    const json = JSON.parse((await verify(certificate, '--json')).out)
    assert.deepEqual(
      [json.ok, json.details.name, json.confirmations, json.compared],
      [true, NAME, 1, null],
    )
    assert.ok(!(await readdir(directory)).includes('home'))
  })

  it('other bytes: exit code 7', async () => {
    const ran = await verify(certificate, '--file', join(directory, 'other.pdf'))
    assert.deepEqual([ran.code, ran.out], [7, ''])
    assert.match(ran.err, /is for other bytes than those of .*other\.pdf/)
  })

  it('another network than the one that is meant: exit code 7', async () => {
    const { network } = JSON.parse((await verify(certificate, '--json')).out)
    assert.equal((await verify(certificate, '--network', network)).code, 0)
    const ran = await verify(certificate, '--network', 'bafyother')
    assert.deepEqual([ran.code, ran.out], [7, ''])
    assert.match(ran.err, /of another network: bafy\w+, not bafyother/)
  })

  it('damaged or forged: exit code 7', async () => {
    const bad = join(directory, 'bad.html')
    for (const changed of [
      page.toString().replace('application/pdf', 'application/xml'),
      page.toString().replace(/"proof":"(.{500})./, (_all, kept) => `"proof":"${kept}_`),
      page.toString().slice(0, -100),
      '',
      'hello',
    ]) {
      await writeFile(bad, changed)
      const { code, out, err } = await verify(bad)
      assert.deepEqual([code, out], [7, ''], changed.slice(0, 80))
      assert.match(err, /^cairn: (The certificate proves nothing|This is no certificate): /)
    }
    await writeFile(bad, Buffer.alloc(60_000_000))
    assert.match((await verify(bad)).err, /larger than any certificate/)
  })

  it('wrong usage: exit code 2; no such file: 4', async () => {
    assert.equal((await verify()).code, 2)
    assert.equal((await verify('-')).code, 2)
    assert.equal((await verify(join(directory, 'nothing.html'))).code, 4)
    const missing = await verify(certificate, '--file', join(directory, 'nothing.pdf'))
    assert.equal(missing.code, 4)
  })
})
