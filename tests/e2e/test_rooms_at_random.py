"""Rooms full of people who come and go at random, while Plivo's callbacks are lost, late or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
import stamina
from support_e2e import HANGUP, Json, Make, World, command, tts

from bridge.simulator.inputs import HungUp, Key
from bridge.simulator.profile import HOSTILE, NORMAL, Profile

pytestmark = pytest.mark.slow

LOSSES = ["drop:enter@0.5", "drop:exit@0.5"]
FAULTS = [
    "delay:enter=7@0.3",
    "delay:exit=20@0.3",
    "duplicate:enter@0.3",
    "duplicate:exit@0.3",
    "reorder:enter@0.2",
    "reorder:exit@0.2",
    "rest_500:Conference@0.2",
    "drop:action@0.2",
]
#: In this time whoever is to be sent out is out, lost callbacks and failing requests included, in s.
LONG_ENOUGH_S = 120.0


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@dataclass
class Guest:
    """Somebody who comes `at` and leaves after `stays` s in some way, or never by themselves."""

    number: str
    at: float
    stays: float | None
    by_star: bool
    room: Json
    line: object = None

    @property
    def asked(self) -> bool:
        """Say whether this one is to leave when alone."""
        return bool(self.room["params"].get("auto_leave_when_alone", True))


@dataclass
class Seen:
    """What really happened in the room, by the calls of the platform."""

    inside: list[int] = field(default_factory=list)
    member: dict[str, int] = field(default_factory=dict)
    met: set[int] = field(default_factory=set)
    alone_since: dict[int, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def guests(chance: Random) -> list[Guest]:
    """Invite between two and five people, of whom mostly one does not mean to leave."""
    invited = []
    many = chance.randint(2, 5)
    stayer = chance.randrange(many + 1)
    for number in range(many):
        asks = chance.random() < 0.8
        simple = chance.random() < 0.5
        kind: Json = (
            {} if simple else {"welcome": tts("Welcome"), "auto_leave_announce": tts("Alone")}
        )
        name = "simple_conference" if simple else "conference"
        invited.append(
            Guest(
                f"+3361111111{number}",
                round(chance.uniform(0, 40), 1),
                None if number == stayer else round(chance.uniform(5, 60), 1),
                chance.random() < 0.5,
                command(name, id="7", auto_leave_when_alone=asks, **kind),
            )
        )
    return invited


def _schedule(world: World, invited: list[Guest]) -> None:
    for guest in invited:
        world.plivo.later(guest.at + 0.01, _Arrives(world, guest))


@dataclass
class _Arrives:
    world: World
    guest: Guest

    def __call__(self) -> None:
        line = self.world.dial(self.guest.number).line
        if self.guest.stays is not None:
            end = Key("*") if self.guest.by_star else HungUp()
            self.world.plivo.later(self.guest.stays, lambda: line.post(end))


def what_happened(world: World, invited: list[Guest]) -> Seen:
    """Follow the room through the timeline, and judge every kick at its instant."""
    asked = {guest.number.removeprefix("+"): guest.asked for guest in invited}
    asks = {line.number: asked[line.leg.caller] for line in world.plivo.lines}
    seen = Seen()
    for entry in world.timeline.of("room", "rest"):
        if entry.kind == "rest":
            if entry.data["path"].endswith("/Kick/") and entry.data["status"] == 202:
                call = seen.member[entry.data["path"].split("/")[-3]]
                if seen.inside != [call]:
                    seen.wrong.append(f"{call} was kicked though {seen.inside} were there")
                if call not in seen.met or not asks[call]:
                    seen.wrong.append(f"{call} was kicked and had not met anybody, or not asked")
            continue
        if entry.data["action"] == "enter":
            seen.inside.append(entry.call)
            seen.member[entry.data["member"]] = entry.call
        elif entry.call in seen.inside:
            seen.inside.remove(entry.call)
        if len(seen.inside) > 1:
            seen.met |= set(seen.inside)
        seen.alone_since = {
            call: seen.alone_since.get(call, entry.at)
            for call in seen.inside
            if len(seen.inside) == 1 and call in seen.met and asks[call]
        }
    return seen


@pytest.mark.parametrize("profile", [NORMAL, HOSTILE], ids=["normal", "hostile"])
@pytest.mark.parametrize("seed", range(50))
async def test_nobody_is_left_alone_and_nobody_kicked_wrongly(
    make_rest_world: Make, seed: int, profile: Profile
) -> None:
    """Whoever asked for it and was left is out soon; whoever had no company, or has it, stays."""
    chance = Random(f"rooms/{seed}")
    invited = guests(chance)
    rooms = {guest.number: guest.room for guest in invited}

    async def joins(request: Json) -> Json:
        return HANGUP if request["command"] else rooms[request["cli_number"]]

    chosen = chance.choice([[], LOSSES, LOSSES]) + chance.sample(FAULTS, chance.randint(0, 3))
    world = await make_rest_world(*[joins] * 50, faults=chosen, profile=profile)
    world.plivo.faults.random.seed(seed)
    _schedule(world, invited)
    await world.passes(110 + LONG_ENOUGH_S)

    seen = what_happened(world, invited)
    assert [] == seen.wrong, f"{chosen}\n{world.timeline}"
    assert {} == seen.alone_since, f"{chosen}\n{world.timeline}"
    for call in list(world.plivo.calls.values()):
        call.post(HungUp())
    await world.finish()

    kicked = {
        entry.data["path"].split("/")[-3]
        for entry in world.timeline.of("rest")
        if entry.data["path"].endswith("/Kick/") and entry.data["status"] == 202
    }
    last = [r for r in world.app.requests if r["command_result"] == "LAST_PARTICIPANT"]
    assert len(last) <= len(kicked)
