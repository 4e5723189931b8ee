/** One line of text that names a column: Enter keeps it, Escape leaves it. */

import { useEffect, useRef, useState } from 'react'

const NAME_MAX = 60

interface Props {
  label: string
  initial?: string
  placeholder?: string
  onDone: (name: string | null) => void
}

export function NameForm({ label, initial = '', placeholder, onDone }: Props) {
  const [name, setName] = useState(initial)
  const field = useRef<HTMLInputElement>(null)
  const done = useRef(false)
  useEffect(() => field.current?.select(), [])

  const finish = (value: string | null) => {
    if (done.current) return
    done.current = true
    const text = value?.trim() ?? ''
    onDone(text === '' || text === initial ? null : text)
  }
  return (
    <form
      className="name-form"
      onSubmit={(event) => {
        event.preventDefault()
        finish(name)
      }}
    >
      <input
        ref={field}
        value={name}
        maxLength={NAME_MAX}
        aria-label={label}
        placeholder={placeholder}
        enterKeyHint="done"
        onChange={(event) => setName(event.target.value)}
        onBlur={() => finish(name)}
        onKeyDown={(event) => event.key === 'Escape' && finish(null)}
      />
    </form>
  )
}
