"""Message: a text message beside the call."""

from __future__ import annotations

import pytest
from support_plivo import XmlApp


async def test_a_message_does_not_keep_the_call_waiting(app: XmlApp) -> None:
    """The message is sent and the next element runs at once; without callbackUrl nobody is told."""
    app.documents = {"/answer": '<Message src="33100" dst="+33200">Hello</Message><Wait/>'}
    life = await app.live()

    assert [0.0] == life.when("sends", src="33100", dst="+33200", text="Hello")
    assert (1.0, ["/answer", "/hangup"]) == (life.seconds, app.paths())


@pytest.mark.parametrize(
    ("attributes", "method"),
    [("", "POST"), ('callbackMethod="GET"', "GET"), ('type="sms"', "POST")],
)
async def test_its_callback(app: XmlApp, attributes: str, method: str) -> None:
    """Each destination is reported as sent, with an id of its own."""
    app.documents = {
        "/answer": f'<Message src="33100" dst="33200&lt;33300" callbackUrl="{{url}}/sent" '
        f'{attributes}>Hello</Message><Wait length="5"/>'
    }
    await app.live()

    told = app.of("/sent")
    assert {
        ("33200", "33100", "sent", "sms", method),
        ("33300", "33100", "sent", "sms", method),
    } == {(seen["To"], seen["From"], seen["Status"], seen["Type"], seen.method) for seen in told}
    assert 2 == len({seen["MessageUUID"] for seen in told})
