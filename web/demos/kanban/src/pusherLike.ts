/** The part of pusher-js that the page uses, so that a test can stand in for it. */

// pusher-js types its handlers with Function; this is the same shape with a name.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Handler = (data?: any) => void

export interface ChannelLike {
  bind(event: string, handler: Handler): unknown
  unbind(event: string, handler: Handler): unknown
}

export interface PusherLike {
  connection: {
    state: string
    bind(event: string, handler: Handler): unknown
    unbind(event: string, handler: Handler): unknown
  }
  subscribe(channel: string): ChannelLike
  unsubscribe(channel: string): void
  connect(): void
  disconnect(): void
}
