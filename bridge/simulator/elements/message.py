"""Message: send a text message while the call goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.simulator.document import Element
from bridge.simulator.leg import Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line

#: s until a message was passed on to its carrier.
_SENT_S: Final = 1.0


async def message(line: Line, element: Element) -> None:
    """Note the message, and report to callbackUrl that it was sent, once per destination.

    It does not keep the next element waiting. Parameters: page "Message"; only this status comes.
    """
    method: Method = "GET" if element.get("callbackMethod") == "GET" else "POST"
    source = element.get("src")
    for number in element.get("dst").split("<"):
        line.add(
            "sends",
            f"“{element.text}” from {source} to {number}",
            src=source,
            dst=number,
            text=element.text,
        )
        form = {
            "MessageUUID": line.leg.new_uuid(),
            "From": source.removeprefix("+"),
            "To": number.removeprefix("+"),
            "Status": "sent",
            "Type": element.get("type", "sms"),
        }
        url = element.get("callbackUrl")
        line.tell("message", url, form, after=_SENT_S, method=method, bare=True)


__all__ = ["message"]
