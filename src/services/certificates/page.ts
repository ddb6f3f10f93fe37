/**
 * The page of a certificate: HTML that a person reads and prints without any script, with the proof inside. It
 * follows from the proof alone, letter by letter, so that a page which says something else than its proof is
 * found out. That is why form and words must not change within one version of the format.
 */
import { MAX_CERTIFICATE_BYTES } from '../../chain/certificate.ts'
import { checkCertificate } from '../../chain/certificate-check.ts'
import { certificateError, invalidCertificate } from '../../chain/certificate-errors.ts'
import type { CertificateFacts } from '../../chain/certificate-facts.ts'
import { equalBytes, utf8 } from '../../common/bytes.ts'
import { MIB } from '../../common/limits.ts'
import { certificateWords, memberWords, utc } from './words.ts'

/** Bytes of a page: the proof in base64, and the words around it. */
export const MAX_PAGE_BYTES: number = Math.ceil((MAX_CERTIFICATE_BYTES * 4) / 3) + 4 * MIB

const PROOF_START = '<script type="application/json" id="cairn-certificate">'
const PROOF_END = '</script>'
const FORMAT = 'cairn-certificate'

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}
h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;overflow-wrap:anywhere}
th{white-space:nowrap;font-weight:600}li{overflow-wrap:anywhere}footer{margin-top:2rem;font-size:.85rem;color:#444}
bdi{unicode-bidi:isolate}@media print{body{margin:0;font-size:11pt}h2{break-after:avoid}li,tr{break-inside:avoid}}`

/** @param facts - what `encoded` was found to show */
export function certificatePage(facts: CertificateFacts, encoded: Uint8Array): Uint8Array {
  const words = certificateWords(facts)
  const rows = words.facts.map(([label, value]) => row([label, value]))
  const members = facts.members.map((each) =>
    row([memberWords(each), `${each.by}, block ${each.height}`, utc(each.time), each.device]),
  )
  const sealers = facts.sealers.map((each) => row([memberWords(each), `${each.blocks}`]))
  const proof = JSON.stringify({
    format: FORMAT,
    version: 1,
    proof: Buffer.from(encoded).toString('base64'),
  })
  return utf8(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escaped(words.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1><bdi>${escaped(words.title)}</bdi></h1>
<table>${rows.join('\n')}</table>
<h2>What it proves</h2>
${bullets(words.proves)}
<h2>What it only states</h2>
${bullets(words.stated)}
<h2>What it does not prove</h2>
${bullets(words.notProven)}
<h2>Members whose admission it contains</h2>
<table>${members.join('\n')}</table>
<h2>Who sealed the blocks from the version’s on</h2>
<table>${sealers.join('\n')}</table>
<footer>Check this page before you believe it: <code>cairn verify-certificate FILE</code> needs no network and no account. With <code>--file PATH</code> it compares a file with the certificate.</footer>
${PROOF_START}${proof}${PROOF_END}
</body>
</html>
`)
}

/**
 * What a page proves. The page is compared with the one that its proof gives.
 *
 * @throws CERTIFICATE_NONE, CERTIFICATE_INVALID
 */
export function checkCertificatePage(page: Uint8Array): CertificateFacts {
  const encoded = proofIn(page)
  const facts = checkCertificate(encoded)
  if (!equalBytes(certificatePage(facts, encoded), page)) {
    throw invalidCertificate('page', 'the page says something else than the proof in it')
  }
  return facts
}

function proofIn(page: Uint8Array): Uint8Array {
  if (page.length > MAX_PAGE_BYTES) {
    throw certificateError('CERTIFICATE_NONE', { why: 'it is larger than any certificate' })
  }
  const text = new TextDecoder().decode(page)
  const start = text.lastIndexOf(PROOF_START)
  const end = start < 0 ? -1 : text.indexOf(PROOF_END, start)
  if (end < 0) throw certificateError('CERTIFICATE_NONE', { why: 'no proof is in it' })
  try {
    const { format, version, proof } = JSON.parse(text.slice(start + PROOF_START.length, end))
    if (format === FORMAT && version === 1 && typeof proof === 'string') {
      // Signs that do not belong there are passed over; the page is then another than the proof gives.
      return new Uint8Array(Buffer.from(proof, 'base64'))
    }
  } catch (error) {
    throw invalidCertificate('encoding', 'the proof in it cannot be read', error)
  }
  throw certificateError('CERTIFICATE_NONE', {
    why: 'its proof has a form that this version of Cairn does not know',
  })
}

function row(cells: readonly string[]): string {
  const [first = '', ...rest] = cells
  const others = rest.map((cell) => `<td><bdi>${escaped(cell)}</bdi></td>`).join('')
  return `<tr><th scope="row"><bdi>${escaped(first)}</bdi></th>${others}</tr>`
}

function bullets(sentences: readonly string[]): string {
  return `<ul>${sentences.map((each) => `<li><bdi>${escaped(each)}</bdi></li>`).join('\n')}</ul>`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

// Control and format characters and separators of lines (Unicode 17: Cc, Cf, Zl, Zp), by number: what a newer
// Unicode calls so must not change an old page.
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u{0}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{600}-\u{605}\u{61c}\u{6dd}\u{70f}\u{890}\u{891}\u{8e2}\u{180e}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{feff}\u{fff9}-\u{fffb}\u{110bd}\u{110cd}\u{13430}-\u{1343f}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]/gu

/** Text for HTML: nothing in it is markup, ends a line, or turns the direction of what follows. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(UNSEEN, '\ufffd')
    .replace(/[&<>"']/g, (sign) => ESCAPES[sign] ?? sign)
}
