"""The pure translation between Real-Time commands and Plivo: one module per RT command.

A mapping is a generator: it yields what Plivo should do next, receives what happened, and returns
the RT result.
Nothing in this package may know about I/O, clocks, randomness, environment, logging, asyncio or
the package `bridge`: the same stored facts must always give the same actions, live and replayed.
"""
