"""What the account has now, as far as a plan needs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.provision.wanted import FIELDS, METHODS

if TYPE_CHECKING:
    from bridge.plivo.rest_account import AccountRest, Application

__all__ = ["Account", "fields_of", "read_account"]


@dataclass(frozen=True, slots=True)
class Account:
    """Every application, and numbers without "+" with the id of their application ("" = none)."""

    applications: tuple[Application, ...]
    numbers: dict[str, str]

    def named(self, name: str) -> list[Application]:
        """List the applications of this name."""
        return [one for one in self.applications if one.name == name]

    def application(self, app_id: str) -> Application | None:
        """Find an application by its id."""
        return next((one for one in self.applications if one.app_id == app_id), None)

    def label(self, app_id: str) -> str:
        """Name an application for people; "" = none."""
        found = self.application(app_id)
        # Numbers may also belong to what is no application: a trunk, for one.
        return found.name if found is not None else app_id

    def described(self, app_id: str) -> str:
        """Name an application, or whatever else has that id, in a sentence."""
        found = self.application(app_id)
        return app_id if found is None else f"the application {found.name} ({app_id})"


def fields_of(application: Application) -> dict[str, str]:
    """Give the fields that may be ours, methods in capitals."""
    values = {field: str(getattr(application, field)) for field in FIELDS}
    return {name: text.upper() if name in METHODS else text for name, text in values.items()}


async def read_account(rest: AccountRest, numbers: Iterable[str] | None) -> Account:
    """Read the applications and these numbers, None = all; unknown numbers are left out."""
    applications = tuple(await rest.applications())
    if numbers is None:
        found = [(one.number, one.app_id) for one in await rest.numbers()]
    else:
        found = []
        for number in numbers:
            one = await rest.number(number)
            if one is not None:
                found.append((number, one.app_id))
    return Account(applications, dict(found))
