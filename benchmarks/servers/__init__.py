"""The servers the bridge is compared with; each runs alone: `python -m benchmarks.servers.<name>`."""
