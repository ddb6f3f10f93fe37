/** certificate, verify-certificate. */
import type { CommandSetup } from '../register.ts'

export function registerCertificates({ program, register }: CommandSetup): void {
  register(
    program
      .command('certificate')
      .description(
        'write a page that shows what the chain says of a file, to read, print and check',
      )
      .argument('<file>', 'name, id, beginning of an id, or CID')
      .option('-o, --output <path>', 'file to write to; "-" is standard output')
      .option('--version <version>', 'number or id of an older version')
      .option('--force', 'overwrite what is there'),
    async (...args) => (await import('../actions/certificate.ts')).certificate(...args),
  )
  register(
    program
      .command('verify-certificate')
      .description('check a certificate; needs no node and no network')
      .argument('<certificate>', 'the page that "cairn certificate" wrote')
      .option('--file <path>', 'a file that the certificate should be for')
      .option('--network <id>', 'the network that it should be of'),
    async (...args) =>
      (await import('../actions/verify-certificate.ts')).verifyCertificate(...args),
  )
}
