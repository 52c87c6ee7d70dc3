"""What the bridge knows of recordings: an index of them, and what was said on them."""
