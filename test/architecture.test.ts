import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkSources, MAX_LINES } from './helpers/source-rules.ts'
import { scan } from './helpers/source-scan.ts'

const top = join(import.meta.dirname, '..')

describe('architecture', () => {
  it('the sources follow the rules of the tree', () => {
    const sources = new Map<string, string>()
    for (const folder of ['src', 'bin']) {
      if (!existsSync(join(top, folder))) continue
      for (const name of readdirSync(join(top, folder), { recursive: true, encoding: 'utf8' })) {
        if (!/\.(?:ts|js)$/.test(name)) continue
        const path = join(folder, name).replaceAll('\\', '/')
        sources.set(path, readFileSync(join(top, path), 'utf8'))
      }
    }
    assert.ok(sources.size > 10, 'the sources are found')
    assert.deepEqual(checkSources(sources), [])
  })

  const breaks: readonly (readonly [string, Record<string, string>, RegExp | undefined])[] = [
    [
      'a lower layer may not import a higher one',
      { 'src/chain/a.ts': "import { b } from '../storage/b.ts'", 'src/storage/b.ts': '' },
      /chain\/a\.ts:1 imports src\/storage\/b\.ts against the order/,
    ],
    [
      'nor its types',
      { 'src/common/a.ts': "\nimport type { B } from '../chain/b.ts'", 'src/chain/b.ts': '' },
      /common\/a\.ts:2 imports src\/chain\/b\.ts against the order/,
    ],
    [
      'nor load it later',
      { 'src/network/a.ts': "const b = await import('../node/b.ts')", 'src/node/b.ts': '' },
      /against the order/,
    ],
    [
      'a higher layer imports a lower one',
      { 'src/interfaces/a.ts': "import { b } from '../common/b.ts'", 'src/common/b.ts': '' },
      undefined,
    ],
    ['a folder of src is a layer', { 'src/tools/a.ts': '' }, /in no layer/],
    [
      'an import leads to a source',
      { 'src/node/a.ts': "import { b } from './b.ts'" },
      /which is no source/,
    ],
    [
      'chain imports nothing of node:',
      { 'src/chain/a.ts': "import { hash } from 'node:crypto'" },
      /imports node:crypto in a pure layer/,
    ],
    [
      'nor by a bare name',
      { 'src/common/a.ts': "import { join } from 'path'" },
      /imports path in a pure layer/,
    ],
    [
      'common/crypto.ts wraps node:crypto',
      { 'src/common/crypto.ts': "import { hash } from 'node:crypto'" },
      undefined,
    ],
    [
      'and nothing else',
      { 'src/common/crypto.ts': "import { readFile } from 'node:fs'" },
      /in a pure layer/,
    ],
    ['the rules read no clock', { 'src/chain/a.ts': 'const t = Date.now()' }, /uses Date\.now/],
    ['nor a new date', { 'src/chain/a.ts': 'const t = new Date()' }, /uses new Date\(\)/],
    ['nor chance', { 'src/chain/a.ts': 'const t = `\u0024{Math.random()}`' }, /uses Math\.random/],
    ['nor timers', { 'src/chain/a.ts': 'setTimeout(() => {}, 1)' }, /uses setTimeout/],
    ['nor the process', { 'src/chain/a.ts': 'const e = process.env' }, /uses process/],
    ['nor the web', { 'src/chain/a.ts': "await fetch('http://')" }, /uses fetch/],
    ['common has no timers', { 'src/common/a.ts': 'setInterval(f, 1)' }, /uses setInterval/],
    ['but in its clock', { 'src/common/clock.ts': 'setTimeout(f, Date.now())' }, undefined],
    ['services take a clock', { 'src/services/a.ts': 'x = Date.now()' }, /come from a Clock/],
    ['network takes a clock', { 'src/network/a.ts': 'after(setTimeout, 1)' }, /from a Clock/],
    [
      'files do not import each other in a ring',
      {
        'src/chain/a.ts': "import type { B } from './b.ts'",
        'src/chain/b.ts': "import { c } from './c.ts'",
        'src/chain/c.ts': "export { a } from './a.ts'",
      },
      /import cycle: src\/chain\/a\.ts -> src\/chain\/b\.ts -> src\/chain\/c\.ts -> src\/chain\/a\.ts/,
    ],
    ['a file ends somewhere', { 'src/chain/a.ts': '\n'.repeat(MAX_LINES + 1) }, /has 401 lines/],
    [
      'a file of the greatest length is one',
      { 'src/chain/a.ts': '\n'.repeat(MAX_LINES) },
      undefined,
    ],
    [
      'no barrel by star',
      { 'src/chain/a.ts': "export * from './b.ts'", 'src/chain/b.ts': '' },
      /re-exports all of/,
    ],
    ['no barrel by name', { 'src/chain/index.ts': '' }, /is a barrel/],
    [
      'but the public one',
      { 'src/index.ts': "export * from './node/node.ts'", 'src/node/node.ts': '' },
      undefined,
    ],
    [
      'libp2p stays below services',
      { 'src/services/a.ts': "import type { Libp2p } from '@libp2p/interface'" },
      /imports @libp2p\/interface outside of network and storage/,
    ],
    [
      'and Helia',
      { 'src/node/a.ts': "import { createHelia } from 'helia'" },
      /imports helia outside/,
    ],
    [
      'network uses them',
      { 'src/network/a.ts': "import { createLibp2p } from 'libp2p'" },
      undefined,
    ],
    [
      'a command loads no libp2p at its start',
      {
        'src/interfaces/cli/main.ts': "import { node } from '../../node/node.ts'",
        'src/node/node.ts': "import { host } from '../network/host.ts'",
        'src/network/host.ts': "import { createLibp2p } from 'libp2p'",
      },
      /the command line loads libp2p: src\/interfaces\/cli\/main\.ts -> src\/node\/node\.ts/,
    ],
    [
      'it may load it when it needs it',
      {
        'src/interfaces/cli/main.ts':
          "import type { Node } from '../../node/node.ts'\nawait import('../../node/node.ts')",
        'src/node/node.ts': "import { host } from '../network/host.ts'",
        'src/network/host.ts': "import { createLibp2p } from 'libp2p'",
      },
      undefined,
    ],
    [
      'comments, texts and patterns are no code',
      {
        'src/chain/a.ts':
          "// Date.now() import a from 'node:fs'\n/* process.env */\nconst a = 'Math.random()'\nconst b = /fetch(['\"])/\nconst c = `setTimeout(\u0024{a})`",
      },
      undefined,
    ],
  ]
  for (const [name, sources, expected] of breaks) {
    it(`checker: ${name}`, () => {
      const found = checkSources(new Map(Object.entries(sources)))
      if (expected === undefined) assert.deepEqual(found, [])
      else {
        assert.ok(
          found.some((sentence) => expected.test(sentence)),
          `expected ${expected}, found ${JSON.stringify(found)}`,
        )
      }
    })
  }

  it('checker: imports of every form are seen', () => {
    const source = [
      "import a from 'a'",
      "import { b,\n  c } from 'b'",
      "import type { D } from 'd'",
      "import { type E, type F } from 'e'",
      "import 'g'",
      "export { h } from 'h'",
      "export type { I } from 'i'",
      "export * as j from 'j'",
      "const k = await import('k')",
      "import * as l from 'l'",
    ].join('\n')
    assert.deepEqual(
      scan(source).imports.map(({ from, line, typeOnly, dynamic }) => [
        from,
        line,
        typeOnly,
        dynamic,
      ]),
      [
        ['a', 1, false, false],
        ['b', 2, false, false],
        ['d', 4, true, false],
        ['e', 5, true, false],
        ['g', 6, false, false],
        ['h', 7, false, false],
        ['i', 8, true, false],
        ['j', 9, false, false],
        ['k', 10, false, true],
        ['l', 11, false, false],
      ],
    )
  })
})
