/** Reads what a TypeScript source imports and which words stand in its code, without a compiler. */

export interface Import {
  readonly from: string
  readonly line: number
  /** `import type …`: gone at run time. */
  readonly typeOnly: boolean
  /** `import('…')`. */
  readonly dynamic: boolean
  /** `export … from`. */
  readonly reexport: boolean
  /** `export * from`. */
  readonly star: boolean
}

export interface Scan {
  readonly lines: number
  readonly imports: readonly Import[]
  /** The source with comments, texts and patterns blanked; same length and lines. */
  readonly code: string
}

const IMPORT = new RegExp(
  [
    /(?:^|[;}\n])[ \t]*(?<word>import|export)\s+(?<type>type\s+)?(?<what>[\w$\s{},*]*?)\s*from\s*(?<a>['"])/
      .source,
    /(?:^|[;}\n])[ \t]*import\s*(?<b>['"])/.source,
    /\b(?:import|require)\s*\(\s*(?<c>['"])/.source,
  ].join('|'),
  'g',
)

export function scan(source: string): Scan {
  const { code, texts } = blank(source)
  const imports: Import[] = []
  for (const match of code.matchAll(IMPORT)) {
    const groups = match.groups ?? {}
    const quote = match.index + match[0].length - 1
    const from = texts.get(quote)
    if (from === undefined) continue
    const start = match.index + match[0].search(/\S/)
    imports.push({
      from,
      line: source.slice(0, start).split('\n').length,
      typeOnly: groups.type !== undefined || onlyTypes(groups.what),
      dynamic: groups.c !== undefined,
      reexport: groups.word === 'export',
      star: groups.word === 'export' && (groups.what ?? '').trim().startsWith('*'),
    })
  }
  return { lines: source.split('\n').length - (source.endsWith('\n') ? 1 : 0), imports, code }
}

/** `{ type A, type B }` imports nothing at run time that matters to the graph. */
function onlyTypes(what: string | undefined): boolean {
  const names = what?.trim().match(/^\{([\s\S]*)\}$/)?.[1]
  if (names === undefined) return false
  const parts = names.split(',').filter((part) => part.trim() !== '')
  return parts.length > 0 && parts.every((part) => /^\s*type\s/.test(part))
}

/** Blanks comments, texts and patterns; gives the texts by the place of their opening quote. */
function blank(source: string): { code: string; texts: Map<number, string> } {
  const texts = new Map<number, string>()
  const out = source.split('')
  const hide = (from: number, to: number): void => {
    for (let index = from; index < to; index += 1) if (out[index] !== '\n') out[index] = ' '
  }
  // Each `${` opens a part of code inside a template; the number counts the braces open in it.
  const templates: number[] = []
  let at = 0
  const template = (): void => {
    const start = at
    while (at < source.length) {
      if (source[at] === '\\') at += 2
      else if (source[at] === '`') {
        hide(start, at)
        at += 1
        return
      } else if (source.startsWith('${', at)) {
        hide(start, at)
        at += 2
        templates.push(0)
        return
      } else at += 1
    }
  }
  while (at < source.length) {
    const letter = source[at]
    if (source.startsWith('//', at)) {
      const end = source.indexOf('\n', at)
      hide(at, end === -1 ? source.length : end)
      at = end === -1 ? source.length : end
    } else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2)
      hide(at, end === -1 ? source.length : end + 2)
      at = end === -1 ? source.length : end + 2
    } else if (letter === "'" || letter === '"') {
      const start = at
      at += 1
      while (at < source.length && source[at] !== letter && source[at] !== '\n') {
        at += source[at] === '\\' ? 2 : 1
      }
      texts.set(start, source.slice(start + 1, at))
      hide(start + 1, at)
      at += 1
    } else if (letter === '`') {
      at += 1
      template()
    } else if (
      letter === '/' &&
      /(?:^|[([{,;=:!&|?+\-*%~^<>]|=>|\breturn|\bcase)\s*$/.test(
        source.slice(Math.max(0, at - 40), at),
      )
    ) {
      const start = at
      let inClass = false
      at += 1
      while (at < source.length && source[at] !== '\n' && (inClass || source[at] !== '/')) {
        if (source[at] === '[') inClass = true
        if (source[at] === ']') inClass = false
        at += source[at] === '\\' ? 2 : 1
      }
      hide(start + 1, at)
      at += 1
    } else {
      const open = templates.length - 1
      if (open >= 0 && letter === '{') templates[open] = (templates[open] ?? 0) + 1
      if (open >= 0 && letter === '}') {
        if (templates[open] === 0) {
          templates.pop()
          at += 1
          template()
          continue
        }
        templates[open] = (templates[open] ?? 0) - 1
      }
      at += 1
    }
  }
  return { code: out.join(''), texts }
}
