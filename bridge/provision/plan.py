"""What is to be done at Plivo so that it knows what is wanted; decided without any request.

Only what differs becomes a change. What belongs to others becomes an obstacle, which has to be
allowed by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.provision.account import Account, fields_of

if TYPE_CHECKING:
    from bridge.provision.saved import Saved
    from bridge.provision.wanted import Wanted

__all__ = [
    "Allowed",
    "Assign",
    "Change",
    "Create",
    "Delete",
    "Obstacle",
    "Plan",
    "Ref",
    "Update",
    "plan_apply",
]


@dataclass(frozen=True, slots=True)
class Ref:
    """An application by id and name; both "" = none, an id alone "" = it is yet to be created."""

    app_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Create:
    """Make an application."""

    name: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Update:
    """Change these fields of an application: what they are, and what they become."""

    name: str
    app_id: str
    old: dict[str, str]
    new: dict[str, str]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an application that was created."""

    name: str
    app_id: str
    old: dict[str, str]


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a number, without "+", another application."""

    number: str
    old: Ref
    new: Ref


Change = Create | Update | Delete | Assign


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why nothing is done; `allow` is the option that allows it ("" = nothing does)."""

    subject: str
    sentence: str
    allow: str = ""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be taken from others: single numbers without "+", or everything."""

    numbers: frozenset[str] = frozenset()
    everything: bool = False

    def takes(self, number: str) -> bool:
        """Tell whether a number may be taken."""
        return self.everything or number in self.numbers


@dataclass(slots=True)
class Plan:
    """The changes in the order in which they are made."""

    changes: list[Change] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def plan_apply(
    wanted: Collection[Wanted],
    account: Account,
    saved: Saved,
    allowed: Allowed,
    names: Collection[str],
) -> Plan:
    """Plan what makes the account as it is wanted.

    `names` are the applications of every configured app, planned or not: a number may go from one
    of them to another.
    """
    ours = {one.app_id for name in names for one in account.named(name)}
    ours |= {known.app_id for known in saved.applications.values()}
    planning = _Planning(account, ours, allowed)
    assigning: list[Change] = []
    for one in wanted:
        ref = planning.application(one)
        if ref is not None:
            assigning += [
                change for number in one.numbers for change in planning.number(number, ref)
            ]
    plan = planning.plan
    plan.changes += assigning
    planned = {one.name: one.numbers for one in wanted}
    for number, known in saved.numbers.items():
        if number not in planned.get(known.written, number):
            plan.remarks.append(
                f"+{number} was given to {known.written} before and is configured for it no more: "
                "it stays as it is."
            )
    return plan


@dataclass(frozen=True, slots=True)
class _Planning:
    """A plan in the making; `ours` are the ids of our applications."""

    account: Account
    ours: Collection[str]
    allowed: Allowed
    plan: Plan = field(default_factory=Plan)

    def application(self, one: Wanted) -> Ref | None:
        """Plan an application; None when nobody can tell which one it is."""
        found = self.account.named(one.name)
        if not found:
            self.plan.changes.append(Create(one.name, one.fields))
            return Ref("", one.name)
        if len(found) > 1:
            ids = ", ".join(application.app_id for application in found)
            sentence = (
                f"{len(found)} applications are named {one.name} ({ids}); keep one of them in the "
                "Plivo console."
            )
            self.plan.obstacles.append(Obstacle(one.name, sentence))
            return None
        shown = fields_of(found[0])
        new = {name: value for name, value in one.fields.items() if shown[name] != value}
        if new:
            old = {name: shown[name] for name in new}
            self.plan.changes.append(Update(one.name, found[0].app_id, old, new))
        return Ref(found[0].app_id, one.name)

    def number(self, number: str, ref: Ref) -> Iterator[Assign]:
        """Plan that a number belongs to this application."""
        app_id = self.account.numbers.get(number)
        if app_id is None:
            sentence = (
                f"The account does not rent +{number}; rent it, or take it out of the settings."
            )
            self.plan.obstacles.append(Obstacle(f"+{number}", sentence))
            return
        if app_id and app_id == ref.app_id:
            return
        if app_id and app_id not in self.ours and not self.allowed.takes(number):
            owner = self.account.described(app_id)
            sentence = f"+{number} belongs to {owner}, which is not ours."
            self.plan.obstacles.append(Obstacle(f"+{number}", sentence, f"--take +{number}"))
        yield Assign(number, Ref(app_id, self.account.label(app_id)), ref)
