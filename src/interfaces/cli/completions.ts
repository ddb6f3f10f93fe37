/** Completion scripts, made from the commands themselves. */
import type { Command } from 'commander'

interface Words {
  readonly name: string
  readonly description: string
  readonly options: readonly string[]
  readonly inner: readonly string[]
}

function wordsOf(program: Command): Words[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: [...command.options, ...program.options].flatMap(({ long }) => (long ? [long] : [])),
    inner: command.commands.map((sub) => sub.name()),
  }))
}

export function completionScript(program: Command, shell: 'bash' | 'zsh' | 'fish'): string {
  const words = wordsOf(program)
  if (shell === 'fish') return fish(words)
  const script = bash(words)
  return shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${script}` : script
}

function bash(words: readonly Words[]): string {
  const cases = words.map(
    ({ name, options, inner }) => `    ${name}) words="${[...inner, ...options].join(' ')}" ;;`,
  )
  return `# cairn completion. Install: cairn completions bash > ~/.local/share/bash-completion/completions/cairn
_cairn() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${words.map(({ name }) => name).join(' ')}"; fi
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}
complete -o default -F _cairn cairn
`
}

function fish(words: readonly Words[]): string {
  const quoted = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`
  const lines = words.flatMap(({ name, description, options, inner }) => [
    `complete -c cairn -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...inner.map((sub) => `complete -c cairn -n '__fish_seen_subcommand_from ${name}' -a ${sub}`),
    ...options.map(
      (long) => `complete -c cairn -n '__fish_seen_subcommand_from ${name}' -l ${long.slice(2)}`,
    ),
  ])
  return `# cairn completion. Install: cairn completions fish > ~/.config/fish/completions/cairn.fish\n${lines.join('\n')}\n`
}
