"""Asking for the next document, and refusing what Plivo refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.simulator.causes import failed
from bridge.simulator.document import Element, InvalidDocument, parse, pretty
from bridge.simulator.flow import Follow, Over
from bridge.simulator.leg import Answer
from bridge.simulator.webhooks import HTTP_OK

if TYPE_CHECKING:
    from bridge.simulator.line import Line

#: Plivo XML reference, "Response".
CONTENT_TYPES: Final = frozenset({"text/xml", "application/xml"})


async def fetch(line: Line, follow: Follow) -> tuple[Element, ...]:
    """Ask for a document and read it. Raises Over with Plivo's cause when it cannot be used.

    Raises Moved or Over as well when the call was transferred or hung up meanwhile: the document
    of such a request is thrown away.
    """
    answer = await line.plivo.webhooks.ask(line, follow)
    if answer.status == HTTP_OK:
        line.add(
            "gets",
            f"{len(answer.body)} bytes",
            pretty(answer.body),
            answer.ms,
            xml=answer.body.decode("utf-8", "replace"),
        )
    await line.idle(0)
    if answer.status != HTTP_OK:
        what = f"gave status {answer.status}" if answer.status else "gave no answer"
        line.problem(f"the {follow.label} URL {what}: {_beginning(answer)}")
        raise Over(failed(follow.label, "Error Reaching"))
    if answer.content_type not in CONTENT_TYPES:
        line.problem(
            f"The content type is {answer.content_type}, not text/xml.", _beginning(answer)
        )
        raise Over(failed(follow.label, "Invalid"))
    try:
        return parse(answer.body, tolerant=line.profile.unknown_markup_ignored)
    except InvalidDocument as fault:
        line.problem(str(fault), _beginning(answer))
        raise Over(fault.ending or failed(follow.label, "Invalid")) from None


async def sounds(line: Line, attribute: str, url: str) -> tuple[Element, ...]:
    """Fetch a document of sounds; whatever is wrong with it is silence (Plivo XML reference).

    Elements other than Play, Speak and Wait are ignored, which is a problem all the same.
    """
    answer = await line.plivo.webhooks.sounds(line, attribute, url)
    if answer.status != HTTP_OK:
        line.problem(f"{attribute} gave status {answer.status}")
        return ()
    try:
        return parse(answer.body, kind="sounds")
    except InvalidDocument as fault:
        line.problem(f"{attribute}: {fault}", pretty(answer.body))
    try:
        return parse(answer.body, kind="sounds", tolerant=True)
    except InvalidDocument:
        return ()


def _beginning(answer: Answer) -> str:
    return answer.body[:200].decode("utf-8", "replace")


__all__ = ["CONTENT_TYPES", "fetch", "sounds"]
