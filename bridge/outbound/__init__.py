"""Outbound calls, at most once each (docs/adr/0009).

A call is an intent in the store before anything else happens: `intents` says what it is, `ledger`
keeps it, `dispatcher` dials in fair order, `arrivals` ties webhooks to it by the token in their
URL, and `lost` ends those of which nobody hears. `service` is what the rest of the bridge uses.
"""
