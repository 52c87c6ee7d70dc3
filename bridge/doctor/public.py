"""Checks whether the public URL leads to the process behind BRIDGE_ADMIN_LISTEN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.doctor.findings import Finding, failed, ok, skipped, warning
from bridge.doctor.probe import probe
from bridge.redaction import mask_url

if TYPE_CHECKING:
    from bridge.doctor.patient import Patient
    from bridge.doctor.probe import Answer

__all__ = ["check_public_url"]

_CHECK: Final = "public_url"
#: How often the public URL is asked when several replicas may answer.
_MOST: Final = 20
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_OK: Final = 200
_REDIRECTS: Final = range(300, 400)


async def check_public_url(patient: Patient) -> list[Finding]:
    """Send each app a webhook of no call the way Plivo would, and one that is not signed."""
    found = []
    for app_hash in patient.apps:
        answer = await _ask(patient, app_hash)
        found.append(_judge(patient, app_hash, answer))
        if answer.status == 0:
            # Whatever is wrong is wrong for all of them.
            break
    if not found:
        return [skipped(_CHECK, "There is no app yet; make one through JSON-RPC.")]
    if found[0].status in {"ok", "warning"}:
        found.append(await _check_signatures(patient))
    return found


async def _ask(patient: Patient, app_hash: str) -> Answer:
    """Ask once; of several replicas as often as it takes until this one answers."""
    for _ in range(_MOST if _may_have_replicas(patient) else 1):
        answer = await probe(patient, app_hash)
        if not answer.instance or patient.running.is_named(answer.instance):
            break
    return answer


def _may_have_replicas(patient: Patient) -> bool:
    """Tell whether other processes may serve the same calls: a file or memory has one."""
    settings = patient.settings
    return settings.store_path is None and settings.store != "memory:"


def _judge(patient: Patient, app_hash: str, answer: Answer) -> Finding:
    url, running = patient.settings.public_url, patient.running
    if answer.instance:
        return _compare(patient, app_hash, answer)
    if answer.status == 0:
        sentence = f"Nothing answers at {url}: {answer.what}."
        advice = "Start rt-bridge serve, and let BRIDGE_PUBLIC_URL lead to BRIDGE_LISTEN."
        if running.instance:
            advice = "Let BRIDGE_PUBLIC_URL lead to BRIDGE_LISTEN: check its host, port and proxy."
        return failed(_CHECK, sentence, advice, app_hash)
    if answer.status in _REDIRECTS:
        sentence = f"{url} answers with a redirect to {mask_url(answer.location)}."
        advice = "Set BRIDGE_PUBLIC_URL to where the redirect leads; signatures are made for that."
        return failed(_CHECK, sentence, advice, app_hash)
    if answer.status == _FORBIDDEN and "Plivo signature" in answer.what:
        sentence = f"A bridge answers at {url}, and does not accept our signature."
        advice = (
            "Give the running bridge these BRIDGE_PUBLIC_URL and BRIDGE_PLIVO_AUTH_TOKEN, and let "
            "no proxy change paths."
        )
        return failed(_CHECK, sentence, advice, app_hash)
    if answer.status == _NOT_FOUND and "No app with this hash" in answer.what:
        sentence = f"The bridge at {url} does not know the app {app_hash}."
        return failed(_CHECK, sentence, "Restart rt-bridge serve with these settings.", app_hash)
    sentence = f"What answers at {url} is no bridge of this version ({answer.what})."
    advice = "Let BRIDGE_PUBLIC_URL lead to BRIDGE_LISTEN, with its path."
    return failed(_CHECK, sentence, advice, app_hash)


def _compare(patient: Patient, app_hash: str, answer: Answer) -> Finding:
    url, running = patient.settings.public_url, patient.running
    if not running.instance:
        return warning(
            _CHECK,
            f"A bridge with our token answers at {url}; which one is unknown, as {running.why}.",
            "Run this command on the machine of the bridge, with its settings.",
            app_hash,
        )
    if not running.is_named(answer.instance) and _may_have_replicas(patient):
        return warning(
            _CHECK,
            f"A bridge with our token answers at {url}, and in {_MOST} times never this one.",
            "It may be another replica; see that the load balancer knows this one.",
            app_hash,
        )
    if not running.is_named(answer.instance):
        return failed(
            _CHECK,
            f"Another bridge answers at {url}, with the same token.",
            "Stop that one, or let BRIDGE_PUBLIC_URL lead to this one.",
            app_hash,
        )
    return ok(_CHECK, f"{url} leads to this bridge, and signatures are right.", app_hash)


async def _check_signatures(patient: Patient) -> Finding:
    if not patient.settings.verify_signatures:
        return skipped(_CHECK, "BRIDGE_VERIFY_SIGNATURES is false: anybody can pose as Plivo.")
    answer = await probe(patient, patient.apps[0], signed=False)
    if answer.status == _FORBIDDEN:
        return ok(_CHECK, "Requests without a signature are refused.")
    return failed(
        _CHECK,
        f"A request without a signature was not refused ({answer.what}).",
        "Restart rt-bridge serve with BRIDGE_VERIFY_SIGNATURES true.",
    )
