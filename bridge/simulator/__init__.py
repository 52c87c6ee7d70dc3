"""A simulated Plivo for contract tests without a phone, with virtual time.

It stands on Plivo's side of the wire: it speaks signed webhooks and Plivo XML, and knows nothing
of the Real-Time protocol or of how the bridge works inside.
"""
