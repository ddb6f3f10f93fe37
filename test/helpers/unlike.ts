/** Another id of the same form: the second to last letter is one of another hash. */
export function unlike(id: string): string {
  const at = id.length - 2
  return `${id.slice(0, at)}${id[at] === 'a' ? 'b' : 'a'}${id.slice(at + 1)}`
}
