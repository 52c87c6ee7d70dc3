"""RT.Request and RT.Response as JSON Schema (`rt-bridge schema`).

The tolerant reading accepts what the bridge accepts of an app, the strict one what the Real-Time
page documents. docs/schema/README.md says what JSON Schema cannot express.
"""

from __future__ import annotations

import json
import re
from typing import Final

from bridge.rt_schema.messages import Message, request_schema, response_schema, schema

__all__ = ["Message", "request_schema", "response_schema", "schema", "schema_text"]

# Characters that editors show as nothing, inside patterns.
_INVISIBLE: Final = re.compile("[\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u3000]")


def schema_text(message: Message, *, strict: bool = False) -> str:
    """Write a schema as indented JSON that ends with a line feed."""
    text = json.dumps(schema(message, strict=strict), indent=2, ensure_ascii=False)
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
