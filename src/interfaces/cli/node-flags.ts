/** How Node is started for a node that this program starts; why: bin/cairn.js, which no module can be shared with. */
export const NODE_FLAGS: readonly string[] = ['--no-concurrent-recompilation']
