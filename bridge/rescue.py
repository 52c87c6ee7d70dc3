"""What Plivo is answered when a webhook could not be handled: come back, please hold, good-bye.

A webhook that waited in vain for a store out of reach has left nothing behind, so Plivo has to bring
it again: by its retries at first, since they repeat all of it, and then by a document that says
"please hold" and leads back here. That one carries what the request told, because a Redirect alone
would repeat none of it; nothing that was stored before is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from bridge.addresses import NOWHERE, RETRIES
from bridge.hangups import is_hangup
from bridge.hook import Answer
from bridge.reconcile import removed_app
from bridge.store.protocol import StoreUnavailable
from bridge.transaction import farewell, spoken
from mappings._plivo.render import render
from mappings._plivo.verbs import Redirect, Wait

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.hook import Hook
    from bridge.runtime import App, Runtime
    from mappings._plivo.verbs import Verb

#: How often a webhook that keeps failing is told to come back before the call is given up.
MOST_FAULTS: Final = 5
#: How often a webhook that waited for the store is left to Plivo's retries, of which there are five.
MOST_RETRIES: Final = 3
#: Requests whose faults are counted at once.
MOST_FAULTY: Final = 10_000
#: Plivo repeats a request for 55 s (its callback configuration page). Other replicas may have had
#: the repetitions that are not counted here, so after an outage of so long (s) it gets a document.
RETRIED_FOR_S: Final = 30.0
#: Callers are asked to hold for so long (s), and then given up.
HELD_FOR_S: Final = 600.0
#: Between two attempts, in s.
PAUSE_S: Final = 3
#: How often at most, should the store take what others write and never this.
MOST_HELD: Final = int(HELD_FOR_S / PAUSE_S)
#: Routes whose answer Plivo ignores.
SILENT_ROUTES: Final = frozenset({"hangup", "notify", "ring"})
#: Routes typed into Plivo by people, perhaps without the fragment that makes Plivo retry.
TYPED_ROUTES: Final = frozenset({"answer", "fallback"})
#: What Plivo sends with every request (Plivo XML reference, XML Request): a Redirect brings it again.
ALWAYS_SENT: Final = frozenset(
    {"ALegRequestUUID", "ALegUUID", "BillRate", "CallStatus", "CallUUID", "CallerName"}
    | {"CountryCode", "Direction", "Event", "ForwardedFrom", "From", "ParentAuthID"}
    | {"RequestUUID", "RouteType", "SessionStart", "STIRAttestation", "STIRVerification", "To"}
)
#: Longest that may be carried in a URL, in characters.
LONGEST_CARRIED: Final = 2000


class Rescue:
    """Answers for webhooks that failed; remembers how often each did."""

    def __init__(self, runtime: Runtime, prefix: str) -> None:
        self._runtime = runtime
        self._prefix = prefix
        self._faults: dict[tuple[str, str], int] = {}

    def succeeded(self, hook: Hook, form: Mapping[str, str]) -> None:
        """Forget the faults of a webhook that was handled after all."""
        if self._faults:
            self._faults.pop((hook.path, form["CallUUID"]), None)

    def answer(self, hook: Hook, route: str, form: Mapping[str, str], error: Exception) -> Answer:
        """Answer although we failed.

        Where Plivo ignores the document only an error status makes it repeat the request.
        """
        if route in SILENT_ROUTES or is_hangup(form):
            return _again()
        faults = self._count(hook, form)
        app_hash = hook.at["app"]
        app = self._runtime.apps.get(app_hash) or removed_app(app_hash)
        down_s = error.down_s if isinstance(error, StoreUnavailable) else 0.0
        if down_s > HELD_FOR_S or faults > (MOST_HELD if down_s else MOST_FAULTS):
            return Answer(render(farewell(self._runtime, app), NOWHERE))
        if down_s > RETRIED_FOR_S or (down_s and faults > MOST_RETRIES):
            return self._hold(hook, app, form)
        if down_s and route not in TYPED_ROUTES:
            return _again()
        return Answer(render((Wait(1), Redirect(self._url(hook, form))), NOWHERE))

    def _count(self, hook: Hook, form: Mapping[str, str]) -> int:
        key = (hook.path, form.get("CallUUID", ""))
        faults = self._faults.pop(key, 0) + 1
        if len(self._faults) >= MOST_FAULTY:
            del self._faults[next(iter(self._faults))]
        self._faults[key] = faults
        return faults

    def _hold(self, hook: Hook, app: App, form: Mapping[str, str]) -> Answer:
        verbs: list[Verb] = [*spoken(self._runtime, app, app.settings.hold_message)]
        verbs += (Wait(PAUSE_S), Redirect(self._url(hook, form)))
        return Answer(render(verbs, NOWHERE))

    def _url(self, hook: Hook, form: Mapping[str, str]) -> str:
        """Give the address of this very request, with what Plivo would not tell again."""
        path = hook.path.removeprefix(self._prefix) if self._prefix else hook.path
        told = {name: value for name, value in form.items() if name not in ALWAYS_SENT and value}
        query = urlencode(told)
        carried = f"?{query}" if query and len(query) <= LONGEST_CARRIED else ""
        return self._runtime.settings.public_url + path + carried + RETRIES


def _again() -> Answer:
    return Answer.sentence(503, "The bridge could not store this: repeat it.\n")


__all__ = ["SILENT_ROUTES", "Rescue"]
