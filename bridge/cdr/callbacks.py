"""Plivo's callbacks about dialled legs, as far as call records want to know of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.cdr.record import KIND, key_of, load
from bridge.cdr.writing import dialling, new_leg, tell, text_of, write
from bridge.state import Phase
from bridge.store.protocol import Commit
from bridge.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.runtime import App
    from bridge.session import Session


async def leg_noticed(
    session: Session, app: App, callid: int, step: int, form: Mapping[str, str]
) -> None:
    """Take note of a callback about a dialled leg; repetitions and late ones do no harm."""
    runtime = session.runtime
    if not runtime.settings.cdr_retention_s:
        return
    async with session.locks[callid]:
        stored = await runtime.store.load_record(KIND, key_of(callid, step))
        if stored is not None:
            cdr = load(stored)
            if cdr.app == app.hash and tell(cdr, form):
                change = Commit(records=[write(runtime, cdr, stored.version)])
                await runtime.store.commit(change)
            return
        state = await session.read(callid)
        if (
            state is None
            or (state.app, state.step, state.phase) != (app.hash, step, Phase.WAITING)
            or (dial := dialling(state)) is None
        ):
            return
        now = runtime.clock.now()
        action = form.get("DialAction")
        connects = action == "connected" and not state.answered
        if action == "hangup":
            cdr = new_leg(state, dial, now)
            tell(cdr, form)
            await runtime.store.commit(Commit(records=[write(runtime, cdr, 0)]))
        elif connects or (action in {"answer", "connected"} and "leg" not in state.inbox):
            state.inbox.setdefault("leg", [now, text_of(form, "DialBLegUUID")])
            # Nobody is connected to a caller whose call was not answered.
            state.answered = state.answered or connects
            transaction = Transaction(runtime, app, state)
            transaction.note(leg=action)
            await transaction.commit()


__all__ = ["leg_noticed"]
