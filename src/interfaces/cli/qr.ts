/** A QR picture of a text in the terminal: two rows of modules in one line of half blocks. */
import { encodeQR } from 'qr'

/** Light modules around the picture, which readers need to find it; the standard asks for 4, 2 do on screens. */
const BORDER = 2
/** Black on white whatever the terminal's own colours are: by number, as "black" and "white" can be redefined. */
const INK = '\u001b[38;5;16;48;5;231m'
const RESET = '\u001b[0m'

export interface QrOptions {
  /** Without colours the light modules are drawn: right on a dark terminal; most readers take the negative too. */
  readonly colour?: boolean
}

/**
 * The picture, line by line, each ended by a line feed. Texts of digits, capitals and `$%*+-./:` alone make the
 * smallest pictures.
 *
 * @param text - 2,900 characters at most
 */
export function qrText(text: string, { colour = true }: QrOptions = {}): string {
  const rows = encodeQR(text, 'raw', { ecc: 'low', border: BORDER })
  const lines: string[] = []
  for (let y = 0; y < rows.length; y += 2) {
    const upper = rows[y] ?? []
    // Below the last row lies what is around the picture.
    const lower = rows[y + 1]
    const line = upper.map((dark, x) => block(dark === colour, (lower?.[x] ?? false) === colour))
    lines.push(colour ? `${INK}${line.join('')}${RESET}\n` : `${line.join('')}\n`)
  }
  return lines.join('')
}

function block(upper: boolean, lower: boolean): string {
  if (upper) return lower ? '█' : '▀'
  return lower ? '▄' : ' '
}
