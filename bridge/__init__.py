"""The shell around the pure mappings: sockets, store, clock, REST client, logs and settings.

Everything that awaits, reads a clock or touches a disk lives here, and decisions about what a
Real-Time command means on Plivo do not: those are made in the package `mappings`, which this
package drives and which knows nothing of it.
This module stays empty of imports so that `rt-bridge --help` and tools that only need the
version start at once.
"""
