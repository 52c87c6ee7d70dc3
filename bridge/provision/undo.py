"""What puts everything back that was changed; decided without any request.

What somebody else changed since is not overwritten unless that is allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.provision.account import Account, fields_of
from bridge.provision.plan import Allowed, Assign, Delete, Obstacle, Plan, Ref, Update

if TYPE_CHECKING:
    from bridge.plivo.rest_account import Application
    from bridge.provision.saved import Saved, SavedApplication, SavedNumber

__all__ = ["plan_undo"]


def plan_undo(saved: Saved, account: Account, allowed: Allowed, names: Collection[str]) -> Plan:
    """Plan what puts everything back; `names` = only what concerns these applications, if any.

    `account` has every number, because an application is deleted only when nobody needs it.
    """
    undoing = _Undoing(saved, account, allowed)
    plan = undoing.plan
    for number, one in saved.numbers.items():
        if not names or one.written in names:
            plan.changes += undoing.number(number, one)
    after = account.numbers | {
        change.number: change.new.app_id for change in plan.changes if isinstance(change, Assign)
    }
    for name, known in saved.applications.items():
        if not names or name in names:
            plan.changes += undoing.application(name, known, after)
    return plan


@dataclass(frozen=True, slots=True)
class _Undoing:
    """A plan in the making."""

    saved: Saved
    account: Account
    allowed: Allowed
    plan: Plan = field(default_factory=Plan)

    def number(self, number: str, known: SavedNumber) -> Iterator[Assign]:
        """Plan that a number gets back what it had."""
        account, plan = self.account, self.plan
        app_id = account.numbers.get(number)
        if app_id is None:
            plan.remarks.append(f"+{number} is rented no more: there is nothing to put back.")
            return
        if app_id == known.before:
            return
        ours = {one.app_id for one in account.named(known.written)}
        if known.written in self.saved.applications:
            ours.add(self.saved.applications[known.written].app_id)
        if app_id and app_id not in ours and not self.allowed.takes(number):
            sentence = (
                f"+{number} was given to {known.written}, and belongs to "
                f"{account.described(app_id)} now."
            )
            plan.obstacles.append(Obstacle(f"+{number}", sentence, f"--take +{number}"))
        before = Ref(known.before, account.label(known.before))
        yield Assign(number, Ref(app_id, account.label(app_id)), before)

    def application(
        self, name: str, known: SavedApplication, numbers: Mapping[str, str]
    ) -> Iterator[Update | Delete]:
        """Plan that an application is as it was; `numbers` = the application of each by then."""
        found = _found(self.account, name, known)
        if len(found) > 1:
            ids = ", ".join(one.app_id for one in found)
            sentence = (
                f"{len(found)} applications are named {name} ({ids}), and one of them may have "
                "been created; delete it in the Plivo console."
            )
            self.plan.obstacles.append(Obstacle(name, sentence))
        elif found:
            self._check_fields(name, known, found[0])
            if known.created:
                yield self._delete(name, found[0], numbers)
            else:
                yield from _restore(name, known, found[0])
        elif not known.created:
            self.plan.remarks.append(f"{name} exists no more: there is nothing to put back.")

    def _check_fields(self, name: str, known: SavedApplication, current: Application) -> None:
        shown = fields_of(current)
        foreign = [
            field
            for field, value in known.written.items()
            if shown[field] not in {value, known.before.get(field, value)}
        ]
        if foreign and not self.allowed.everything:
            sentence = f"Somebody changed {', '.join(foreign)} of {name} since."
            self.plan.obstacles.append(Obstacle(name, sentence, "--force"))

    def _delete(self, name: str, current: Application, numbers: Mapping[str, str]) -> Delete:
        left = sorted(number for number, app_id in numbers.items() if app_id == current.app_id)
        if left and not self.allowed.everything:
            listed = ", ".join(f"+{number}" for number in left)
            sentence = (
                f"{name} was created and would be deleted, and {listed} would be without an "
                "application."
            )
            self.plan.obstacles.append(Obstacle(name, sentence, "--force"))
        return Delete(name, current.app_id, fields_of(current))


def _restore(name: str, known: SavedApplication, current: Application) -> Iterator[Update]:
    shown = fields_of(current)
    new = {field: value for field, value in known.before.items() if shown[field] != value}
    if new:
        yield Update(name, current.app_id, {field: shown[field] for field in new}, new)


def _found(account: Account, name: str, known: SavedApplication) -> list[Application]:
    """Find an application that was changed: by its id, or by its name while that is not known."""
    if not known.app_id:
        return account.named(name)
    one = account.application(known.app_id)
    return [] if one is None else [one]
