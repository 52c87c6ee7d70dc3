"""The applications and numbers of the account as REST shows and changes them.

The platform itself knows only which application a number has; here applications have ids and
names. Whatever a test wrote into `Plivo.numbers` appears as an application of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.simulator.line import Line
    from bridge.simulator.platform import Application, Plivo


@dataclass(slots=True)
class Registered:
    """An application with what is nothing to calls: `more` by the names of the API."""

    app_id: str
    name: str
    application: Application
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Rented:
    """What is said of a number besides its application."""

    added: float
    alias: str | None = None


class Registry:
    """Applications by id, numbers by themselves, without plus."""

    def __init__(self, plivo: Plivo) -> None:
        self._plivo = plivo
        self._random = Random(f"{plivo.seed}/applications")
        self._applications: dict[str, Registered] = {}
        self._rented: dict[str, Rented] = {}

    def new_id(self) -> str:
        """Give the id of the next application: 17 digits."""
        return str(self._random.randrange(10**16, 10**17))

    def applications(self) -> dict[str, Registered]:
        """Give every application, those of the numbers included."""
        for application in self._plivo.numbers.values():
            if application.answer_url and self._of(application) is None:
                name = f"application-{len(self._applications) + 1}"
                self.add(Registered(self.new_id(), name, application))
        return self._applications

    def add(self, registered: Registered) -> None:
        """Add an application."""
        self._applications[registered.app_id] = registered

    def change(self, registered: Registered, **fields: Any) -> None:
        """Change fields of an application, for the numbers that have it too."""
        old = registered.application
        registered.application = replace(old, **fields)
        for number, application in self._plivo.numbers.items():
            if application is old:
                self._plivo.numbers[number] = registered.application

    def remove(self, registered: Registered) -> None:
        """Delete an application; its numbers have none then."""
        del self._applications[registered.app_id]
        for number, application in self._plivo.numbers.items():
            if application is registered.application:
                self.assign(number, None)

    def assign(self, number: str, registered: Registered | None) -> None:
        """Give a number an application, or none: then nobody answers it."""
        mine = self._plivo.numbers[number]
        self._plivo.numbers[number] = (
            replace(mine, answer_url="", hangup_url="", fallback_url="")
            if registered is None
            else registered.application
        )

    def of(self, number: str) -> Registered | None:
        """Give the application of a number."""
        self.applications()
        return self._of(self._plivo.numbers[number])

    def _of(self, application: Application) -> Registered | None:
        for registered in self._applications.values():
            if registered.application is application:
                return registered
        return None

    def rented(self, number: str) -> Rented:
        """Give the rest of what is known of a number."""
        return self._rented.setdefault(number, Rented(self._plivo.began))

    def release(self, number: str) -> None:
        """Give a number back."""
        del self._plivo.numbers[number]
        self._rented.pop(number, None)

    def lines(self) -> Iterator[Line]:
        """List every line there ever was, with whom it dialled."""
        waiting = list(reversed(self._plivo.lines))
        while waiting:
            line = waiting.pop()
            yield line
            waiting.extend(reversed(line.legs))

    def line(self, uuid: str) -> Line | None:
        """Find a line, over or not."""
        return next((line for line in self.lines() if line.uuid == uuid), None)


__all__ = ["Registered", "Registry", "Rented"]
