/** What the keyboard can do. */

import { Dialog } from './Dialog'

const KEYS: readonly (readonly [string[], string])[] = [
  [['N'], 'New task in the column you are in'],
  [['Arrow keys'], 'Go from card to card'],
  [['Enter'], 'Open the card'],
  [['Space'], 'Pick the card up, and drop it'],
  [['Arrow keys'], 'Move the card that is picked up'],
  [['Esc'], 'Cancel, or close'],
  [['Ctrl', 'Enter'], 'Save in a dialog'],
  [['?'], 'This list'],
]

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose} className="narrow">
      <dl className="shortcuts">
        {KEYS.map(([names, text]) => (
          <div key={text}>
            <dt>
              {names.map((name) => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
