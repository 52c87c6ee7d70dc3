"""The REST API of the simulated account: one module per resource, `api` in front of them."""
