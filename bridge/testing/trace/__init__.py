"""Traces: everything that happened in a simulation, as JSON and as one HTML page that needs no network."""

from bridge.testing.trace.model import FORMAT, VERSION, Trace, as_document, to_json
from bridge.testing.trace.page import to_html

__all__ = ["FORMAT", "VERSION", "Trace", "as_document", "to_html", "to_json"]
