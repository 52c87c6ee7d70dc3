"""Make the changes of a plan, one request each, so that they can be put back at any instant.

What was there before is written down before a request, and what became of it after; a kill in
between leaves a state from which both going on and going back lead to the right end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from bridge.errors import BridgeError
from bridge.plivo.rest_errors import PlivoRestError
from bridge.provision.plan import Assign, Change, Create, Delete, Update
from bridge.provision.saved import Saved, SavedApplication, SavedNumber

if TYPE_CHECKING:
    from bridge.plivo.rest_account import AccountRest
    from bridge.provision.saved import SavedFile

__all__ = ["CarryOut", "NotDone"]

#: How often an application is created again after Plivo failed and has none of that name.
_ATTEMPTS: Final = 3


class NotDone(BridgeError):  # noqa: N818 - named for what happened
    """Plivo accepted a change and did not make it; the message says what to do."""


class CarryOut:
    """Makes changes, and tells of each that is made."""

    def __init__(
        self, rest: AccountRest, file: SavedFile, saved: Saved, done: Callable[[Change], None]
    ) -> None:
        self._rest = rest
        self._file = file
        self._saved = saved
        self._done = done

    async def apply(self, changes: list[Change]) -> None:
        """Make the changes of `plan_apply`.

        Raises PlivoRestError, SavedError or NotDone; what was made until then stays.
        """
        ids: dict[str, str] = {}
        for change in changes:
            match change:
                case Create():
                    ids[change.name] = await self._create(change)
                case Update():
                    await self._update(change)
                case Assign():
                    app_id = change.new.app_id or ids[change.new.name]
                    self._note_number(change)
                    await self._rest.assign_number(change.number, app_id)
                case Delete():
                    raise AssertionError(change)
            self._done(change)

    async def undo(self, changes: list[Change]) -> None:
        """Make the changes of `plan_undo`, and forget what is put back; raises as `apply` does."""
        for change in changes:
            match change:
                case Assign():
                    await self._rest.assign_number(change.number, change.new.app_id)
                    await self._check_without(change)
                    self._saved.numbers.pop(change.number)
                case Update():
                    await self._rest.update_application(change.app_id, change.new)
                    self._saved.applications.pop(change.name)
                case Delete():
                    await self._rest.delete_application(change.app_id)
                    self._saved.applications.pop(change.name)
                case Create():
                    raise AssertionError(change)
            self._file.write(self._saved)
            self._done(change)

    def forget(self, names: set[str]) -> None:
        """Forget what concerns these applications, after all of it was put back; empty = all."""
        saved = self._saved
        for name in [name for name in saved.applications if not names or name in names]:
            del saved.applications[name]
        for number, known in list(saved.numbers.items()):
            if not names or known.written in names:
                del saved.numbers[number]
        self._file.write(saved)

    async def _create(self, change: Create) -> str:
        known = SavedApplication(created=True, written=change.fields)
        self._saved.applications[change.name] = known
        self._file.write(self._saved)
        known.app_id = await self._created(change.name, change.fields)
        self._file.write(self._saved)
        return known.app_id

    async def _created(self, name: str, fields: Mapping[str, str]) -> str:
        """Create an application once, though the reply of Plivo may be lost."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._rest.create_application(name, fields)
            except PlivoRestError as error:
                if not error.maybe_done:
                    raise
                for application in await self._rest.applications():
                    if application.name == name:
                        return application.app_id
                # Without any answer it may yet be created: whoever repeats this looks first.
                if error.status is None or attempt == _ATTEMPTS:
                    raise
        raise AssertionError(name)

    async def _update(self, change: Update) -> None:
        known = self._saved.applications.get(change.name)
        if known is None or not _is_same(known, change):
            known = SavedApplication()
            self._saved.applications[change.name] = known
        known.app_id = change.app_id
        if not known.created:
            for name, value in change.old.items():
                # What was written before by us is nobody's to be put back.
                if known.written.get(name) != value:
                    known.before[name] = value
        known.written |= change.new
        self._file.write(self._saved)
        await self._rest.update_application(change.app_id, change.new)

    def _note_number(self, change: Assign) -> None:
        known = self._saved.numbers.get(change.number)
        ours = known is not None and known.written == change.old.name
        before = known.before if known is not None and ours else change.old.app_id
        self._saved.numbers[change.number] = SavedNumber(before=before, written=change.new.name)
        self._file.write(self._saved)

    async def _check_without(self, change: Assign) -> None:
        """Look whether a number has no application any more, which no page of Plivo promises."""
        if change.new.app_id:
            return
        shown = await self._rest.number(change.number)
        if shown is not None and shown.app_id:
            raise NotDone(
                f"+{change.number} had no application, and Plivo gave it {shown.app_id} instead "
                "of none; take that away in the Plivo console, then repeat --undo."
            )


def _is_same(known: SavedApplication, change: Update) -> bool:
    """Tell whether the application to be changed is the one that is known by its name."""
    if known.app_id:
        return known.app_id == change.app_id
    # It was to be created, and nobody knows whether it was; made by somebody else it looks otherwise.
    return all(known.written.get(name) == value for name, value in change.old.items())
