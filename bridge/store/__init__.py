"""Where open calls live: the store port and its implementations; knows nothing of HTTP."""
