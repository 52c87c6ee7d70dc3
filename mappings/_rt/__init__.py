"""The Real-Time protocol as the app speaks it: requests, responses and media ids."""
