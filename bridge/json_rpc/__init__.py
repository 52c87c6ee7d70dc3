"""The legacy JSON-RPC API at `/json-rpc/v1.1/`: what the official CALLR SDKs call.

`endpoint` speaks HTTP and JSON-RPC 2.0, `auth` knows who may, `args` reads positional parameters,
`errors` has every code, and `methods` has one module per group of methods.
docs/json-rpc.md shows each with a request and its reply.
"""
