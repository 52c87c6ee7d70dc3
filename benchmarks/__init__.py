"""Benchmarks of the bridge beside a bare two-hop proxy and beside what a user would write instead.

`python -m benchmarks` starts every server as its own process on one core, drives them all from
another, alternates short samples in shuffled order and reports ratios of samples of the same round.
Nothing here is a test: figures depend on the machine, docs/benchmarks.md tells how to read them.
"""
