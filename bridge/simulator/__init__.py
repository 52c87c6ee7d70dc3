"""A simulated Plivo with virtual time, for contract tests without a phone."""
