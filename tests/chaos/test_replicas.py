"""Which replica a request goes to, and which one is killed."""

from __future__ import annotations

import asyncio
from random import Random
from typing import cast

import pytest
from chaos.replicas import Fleet, InTurn, Replica
from support_ports import PORTS, free_port

PUBLIC = "https://chaos.example.com"


class Standing:
    """A replica that is no process."""

    def __init__(self, name: str) -> None:
        self.address = f"http://{name}"
        self.is_up = True
        self.killed = 0

    async def kill(self) -> None:
        """Be killed."""
        self.is_up = False
        self.killed += 1

    async def start(self) -> None:
        """Listen again."""
        self.is_up = True


@pytest.fixture
def three() -> list[Standing]:
    """Make three of them."""
    return [Standing(name) for name in ("a", "b", "c")]


def _fleet(replicas: list[Standing]) -> Fleet:
    return Fleet(cast("list[Replica]", replicas), Random(1))


def test_requests_go_round(three: list[Standing]) -> None:
    """Each look at where a URL is served gives the next replica, and none that does not listen."""
    via = InTurn(PUBLIC, _fleet(three))

    assert [PUBLIC] == list(via)
    assert ["http://b", "http://c", "http://a"] == [_served(via) for _ in three]
    three[0].is_up = False
    assert {"http://b", "http://c"} == {_served(via) for _ in three}


def test_refused_requests_have_an_address(three: list[Standing]) -> None:
    """While no replica listens, one of them refuses the request, and Plivo repeats it."""
    for one in three:
        one.is_up = False

    assert _served(InTurn(PUBLIC, _fleet(three))) in {one.address for one in three}


def _served(via: InTurn) -> str:
    ((public, address),) = via.items()
    assert PUBLIC == public
    return address


async def test_last_replica_is_spared(three: list[Standing]) -> None:
    """A kill waits until another replica listens, and comes to nothing once it is over."""
    three[1].is_up = three[2].is_up = False
    over = asyncio.Event()
    async with asyncio.TaskGroup() as restarts:
        killing = restarts.create_task(_fleet(three).kill_one(restarts, over))
        assert not (await asyncio.wait({killing}, timeout=0.05))[0]
        over.set()

    assert [0, 0, 0] == [one.killed for one in three]


async def test_killed_replica_starts_again(three: list[Standing]) -> None:
    """One of those that listen is killed, and listens again."""
    async with asyncio.TaskGroup() as restarts:
        await _fleet(three).kill_one(restarts, asyncio.Event())
        assert 1 == sum(not one.is_up for one in three)

    assert 1 == sum(one.killed for one in three)
    assert all(one.is_up for one in three)


def test_ports_are_none_that_connections_get() -> None:
    """The port of a dead replica is not given to somebody's connection meanwhile."""
    assert free_port() in PORTS
