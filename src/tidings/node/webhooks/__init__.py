"""Webhooks: an app's back end is told over HTTP what happens in the app, at least once and in order per channel.

    node.tell → intake (bounded) → Hold (3 s) → Queue (order, retries) → Sender → the receiver
                                      └──────── Ledger, Store ────────┘     └→ DeadLetters

`service.Webhooks` joins the parts; `hold`, `queue`, `dead`, `events` and `guard` decide, and do no I/O.
"""
