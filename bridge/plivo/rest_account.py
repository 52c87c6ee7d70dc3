"""Applications and numbers of an account: where Plivo asks for documents when a number is called.

An update says only what is to change: the official SDKs also send the defaults of what was not
given, and so reset methods, default applications and the logging of messages.

Sources: Plivo's pages on applications and on account phone numbers, and the official SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

from pydantic import BeforeValidator, Field

from bridge.plivo.rest_request import Body, Reply, RestRequest, RestTransport, item_path, parsed
from mappings._plivo.numbers import to_plivo

__all__ = ["AccountNumber", "AccountRest", "Application"]

#: The most Plivo gives in one page.
PAGE: Final = 20

_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
# Plivo shows the application of a number as the path of its resource.
_LastOfPath = Annotated[
    str, BeforeValidator(lambda path: str(path or "").strip("/").rpartition("/")[2])
]


class Application(Reply):
    """What Plivo asks for a call of a number; "" = not set.

    Without a hangup URL Plivo uses the answer URL for hangups too, and shows it as the hangup URL.
    """

    app_id: str = Field(min_length=1)
    name: _Text = Field(default="", validation_alias="app_name")
    answer_url: _Text = ""
    answer_method: _Text = ""
    hangup_url: _Text = ""
    hangup_method: _Text = ""
    fallback_answer_url: _Text = ""
    fallback_method: _Text = ""


class AccountNumber(Reply):
    """A number the account rents, without "+"; `app_id` "" = no application."""

    number: str = Field(min_length=1)
    app_id: _LastOfPath = Field(default="", validation_alias="application")


class _Meta(Reply):
    next: str | None = None


class _Applications(Reply):
    meta: _Meta
    objects: tuple[Application, ...]


class _Numbers(Reply):
    meta: _Meta
    objects: tuple[AccountNumber, ...]


class _Created(Reply):
    app_id: str = Field(min_length=1)


_PageT = TypeVar("_PageT", _Applications, _Numbers)


class AccountRest(RestTransport):
    """Applications and numbers of one account; made and to be used as `RestTransport` says."""

    async def applications(self) -> list[Application]:
        """List every application, page after page."""
        pages = await self._pages(_Applications, "list applications", "Application/")
        # A list that changes meanwhile may repeat an object on the next page.
        return list({one.app_id: one for page in pages for one in page.objects}.values())

    async def create_application(self, name: str, fields: Mapping[str, str]) -> str:
        """Create an application and give its id; `name` has letters, digits, - and _ only.

        Sent once: nothing says that Plivo refuses a second application of the same name.
        """
        request = RestRequest(
            f"create application {name}", "POST", "Application/", {"app_name": name, **fields}
        )
        return parsed(_Created, request, await self.perform(request)).app_id

    async def update_application(self, app_id: str, fields: Mapping[str, str]) -> None:
        """Change these fields, and nothing else; "" empties one."""
        path = item_path("Application", app_id)
        body: Body = {**fields}
        await self.perform(
            RestRequest(f"update application {app_id}", "POST", path, body, repeat="safe")
        )

    async def delete_application(self, app_id: str) -> None:
        """Delete an application; its endpoints stay, without an application."""
        path = item_path("Application", app_id)
        body: Body = {"cascade": False}
        await self.perform(
            RestRequest(f"delete application {app_id}", "DELETE", path, body, repeat="ending")
        )

    async def numbers(self) -> list[AccountNumber]:
        """List every number, page after page."""
        pages = await self._pages(_Numbers, "list numbers", "Number/")
        return list({one.number: one for page in pages for one in page.objects}.values())

    async def number(self, number: str) -> AccountNumber | None:
        """Give a number, or None when the account does not rent it."""
        path = item_path("Number", to_plivo(number))
        return await self.read(AccountNumber, f"get number {number}", path)

    async def assign_number(self, number: str, app_id: str) -> None:
        """Give a number an application; "" = none.

        The field is always sent: without it Plivo assigns the default application of the account.
        """
        path = item_path("Number", to_plivo(number))
        body: Body = {"app_id": app_id}
        await self.perform(
            RestRequest(f"assign number {number}", "POST", path, body, repeat="safe")
        )

    async def _pages(self, model: type[_PageT], operation: str, path: str) -> list[_PageT]:
        found: list[_PageT] = []
        offset = 0
        while True:
            request = RestRequest(
                operation, "GET", f"{path}?limit={PAGE}&offset={offset}", repeat="safe"
            )
            page = parsed(model, request, await self.perform(request))
            found.append(page)
            offset += len(page.objects)
            if page.meta.next is None or not page.objects:
                return found
