/** A person as initials on a colour that is always the same for the same name. */

/** As many as tokens.css has; each is a pair of ground and text. */
const HUES = 8

export function hueOf(name: string): number {
  let sum = 0
  for (const letter of name) sum = (sum * 43 + (letter.codePointAt(0) ?? 0)) >>> 0
  return sum % HUES
}

export function initials(name: string): string {
  const parts = name.trim().split(/\s+/)
  return parts.length > 1 ? `${parts[0]?.[0] ?? ''}${parts.at(-1)?.[0] ?? ''}` : name.slice(0, 2)
}

export function Avatar({
  name,
  size = 'small',
  labelled = false,
}: {
  name: string
  size?: 'small' | 'large'
  labelled?: boolean
}) {
  const hidden = labelled ? { role: 'img', 'aria-label': name } : { 'aria-hidden': true }
  return (
    <span className={`avatar avatar-${size}`} data-hue={hueOf(name)} title={name} {...hidden}>
      {initials(name)}
    </span>
  )
}
