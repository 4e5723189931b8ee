/** Random ids made in the page. `crypto.randomUUID` is missing on plain-http addresses, so it is not used. */

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'
/** 16 characters of 36 are 82 bits: two pages never meet. */
const LENGTH = 16

export function newId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(LENGTH))
  return prefix + Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join('')
}
