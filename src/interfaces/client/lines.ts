/** Letters of one line: a result with its details. */
const MAX_LINE = 1024 * 1024

/** The lines of a stream of UTF-8, without their ends. @throws RangeError for an endless line */
export async function* readLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of source) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    if (rest.length > MAX_LINE) throw new RangeError('the line is too long')
    yield* parts.filter((line) => line !== '')
  }
  if (rest !== '') yield rest
}
