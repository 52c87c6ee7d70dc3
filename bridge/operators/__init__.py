"""Commands of those who run a bridge: its calls, its call records, its recordings."""
