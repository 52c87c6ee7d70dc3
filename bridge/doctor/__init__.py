"""`rt-bridge doctor`: checks whether everything is there that a call needs."""
