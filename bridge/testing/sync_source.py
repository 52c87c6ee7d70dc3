"""Writes `bridge/testing/sync_call.py` from the coroutines of calls: `python -m bridge.testing.sync_source`.

A façade that is written from what it stands for cannot miss anything, and editors know its methods.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, Final

from bridge.testing.call import Call, Person

TARGET: Final = Path(__file__).with_name("sync_call.py")
_HEAD: Final = '''"""Calls for tests that are no coroutines.

Written by `python -m bridge.testing.sync_source` from bridge/testing/call.py and expectations.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.simulator.timeline import Entry
from bridge.testing.call import Call, Person
from bridge.testing.portal import Portal
from bridge.testing.wants import Wanted

'''


def source() -> str:
    """Give the text of the module."""
    return (
        _HEAD
        + _class("SyncPerson", "Somebody on a line", Person, "")
        + _class("SyncCall", "A call, from its caller's side", Call, _MORE)
        + '\n\n__all__ = ["SyncCall", "SyncPerson"]\n'
    )


_MORE: Final = '''
    @property
    def soft(self) -> SyncCall:
        """Give this call with soft expectations."""
        return SyncCall(self._portal, self.it.soft)

    @property
    def number(self) -> int:
        """Give the number of this call in the simulation, from 1."""
        return self.it.number

    @property
    def is_over(self) -> bool:
        """Say whether the call is over."""
        return self.it.is_over

    def leg(self, number: int) -> SyncPerson:
        """Give a party this call dialled, counted from 1. Raises ExpectationError."""
        return SyncPerson(self._portal, self.it.leg(number))
'''


def _class(name: str, what: str, original: type[Any], more: str) -> str:
    lines = [
        f"\nclass {name}:",
        f'    """{what}; every method waits until it is done."""',
        "",
        f"    def __init__(self, portal: Portal, it: {original.__name__}) -> None:",
        "        self._portal = portal",
        "        self.it = it",
    ]
    text = "\n".join(lines) + "\n" + more
    for method, function in inspect.getmembers(original, inspect.iscoroutinefunction):
        if not method.startswith("_"):
            text += _method(method, function)
    return text


def _method(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    arguments = []
    for parameter in list(signature.parameters.values())[1:]:
        match parameter.kind:
            case inspect.Parameter.KEYWORD_ONLY:
                arguments.append(f"{parameter.name}={parameter.name}")
            case inspect.Parameter.VAR_KEYWORD:
                arguments.append(f"**{parameter.name}")
            case _:
                arguments.append(parameter.name)
    shown = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(signature))
    doc = inspect.getdoc(function) or ""
    first = doc.splitlines()[0]
    return (
        f"\n    def {name}{shown}:\n"
        f'        """{first}"""\n'
        "        __tracebackhide__ = True\n"
        f"        return self._portal.run(self.it.{name}({', '.join(arguments)}))\n"
    )


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
