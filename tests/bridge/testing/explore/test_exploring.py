"""Exploring apps that have a fault each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import support_explore as apps
from support_explore import Answer, served
from support_kit import Json

from bridge.testing.explore.exploring import Exploration, Plan, explore
from bridge.testing.explore.watch import Limits
from bridge.testing.scenario.playing import Options


def explored(
    answer: Callable[[Json], Awaitable[Answer]], examples: int = 120, shrink_s: float = 300.0
) -> Exploration:
    """Explore an app, always in the same way."""
    with served(answer) as url:
        plan = Plan(
            Options(app=url, seed=2),
            max_examples=examples,
            steps=8,
            limits=Limits(repeats=4, turns=20),
            shrink_s=shrink_s,
            shrinks=20,
        )
        return explore(plan)


def found(result: Exploration) -> list[tuple[str, list[str], bool]]:
    """Give the codes with their calls, and whether these can be repeated."""
    return [
        (one.finding.code, [str(step) for step in one.steps], one.repeats) for one in result.found
    ]


def test_sound_app_is_found_sound() -> None:
    """Nothing is found, and the examples that were asked for were played."""
    result = explored(apps.sound, 15)
    assert [] == result.found
    assert 15 <= result.examples <= 20
    assert result.calls > result.examples
    assert ("", "") == (result.stopped, result.unreachable)


def test_unknown_command_is_found() -> None:
    """The shortest call that makes the app send one is a star."""
    result = explored(apps.unknown_command_on_star)
    assert [("UNKNOWN_COMMAND", ["first: dial", "first: press keys *"], True)] == found(result)


def test_endless_question_is_found() -> None:
    """A caller who says nothing is asked for ever: silence is all it needs."""
    result = explored(apps.loops_on_nothing)
    assert [("LOOP", ["first: dial"], True)] == found(result)


def test_app_that_counts_for_ever_is_found() -> None:
    """No two replies are the same, and yet there is no end."""
    result = explored(apps.counts_for_ever, 10)
    assert [("ENDLESS", ["first: dial"], True)] == found(result)


def test_status_500_after_the_second_refusal_is_found() -> None:
    """Neither party can be reached: they decline, or ring until the time is over."""
    result = explored(apps.fails_on_second_refusal)
    (code, steps, repeats) = found(result)[0]
    assert ("NOT_200", ["first: dial", "first: press keys 1"], True) == (code, steps[:2], repeats)
    assert 1 <= len(steps[2:]) <= 2
    assert 500 in {turn.status for turn in result.found[0].rig.turns}


@pytest.mark.slow
def test_reply_that_takes_too_long_is_found() -> None:
    """The time-out is real, and the turn that caused it is heard although the bridge gave up."""
    result = explored(apps.sleeps_on_seven, 200, shrink_s=0.0)
    assert ["OVER_BUDGET"] == [one.finding.code for one in result.found]
    assert "first: press keys 7" in {str(step) for step in result.found[0].steps}


def test_exploration_is_repeated_by_its_seed() -> None:
    """The same seed plays the same calls."""
    first, second = (explored(apps.unknown_command_on_star, 20) for _ in range(2))
    assert (first.examples, first.calls, found(first)) == (
        second.examples,
        second.calls,
        found(second),
    )


def test_app_that_died_is_started_anew(tmp_path: Path) -> None:
    """A call that ends the process of the app is found, and the next one finds the app alive."""
    program = tmp_path / "dies.py"
    program.write_text(DYING, encoding="utf-8")
    options = Options(app_command=f"python {program} {{port}}", seed=1)
    plan = Plan(options, max_examples=10, steps=3, shrink_s=5.0)
    result = explore(plan)
    assert [("NO_REPLY", ["first: dial"], True)] == found(result)


def test_app_that_is_not_there_is_named() -> None:
    """No example can be played; the sentence names the address."""
    result = explore(Plan(Options(app="http://127.0.0.1:9/rt", seed=1)))
    assert (0, []) == (result.examples, result.found)
    assert result.unreachable.startswith("The app at http://127.0.0.1:9/rt cannot be reached")


DYING = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Dies(BaseHTTPRequestHandler):
    def do_POST(self):
        os._exit(3)

HTTPServer(("127.0.0.1", int(sys.argv[1])), Dies).serve_forever()
"""


def test_failure_is_remembered_in_a_folder(tmp_path: Path) -> None:
    """With `keep` the next exploration tries the failure first."""
    with served(apps.unknown_command_on_star) as url:
        options = Options(app=url, seed=2)
        first = Plan(options, max_examples=120, steps=4, keep=tmp_path)
        assert ["UNKNOWN_COMMAND"] == [one.finding.code for one in explore(first).found]
        again = explore(replace(first, app=replace(options, seed=77), max_examples=1))
    assert ["UNKNOWN_COMMAND"] == [one.finding.code for one in again.found]


def test_app_that_remembers_is_started_anew(tmp_path: Path) -> None:
    """An app that fails from its fifth request on does not fail when it is started for each call."""
    program = tmp_path / "counts.py"
    program.write_text(COUNTING, encoding="utf-8")
    options = Options(app_command=f"python {program} {{port}}", seed=1)
    plan = Plan(options, max_examples=3, steps=1, shrink_s=5.0)
    assert [] == explore(replace(plan, fresh_app=True)).found
    (one,) = explore(replace(plan, max_examples=10)).found
    assert "NOT_200" == one.finding.code


COUNTING = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Counts(BaseHTTPRequestHandler):
    seen = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Counts.seen += 1
        body = b'{"command": "hangup"}'
        self.send_response(200 if Counts.seen < 5 else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Counts).serve_forever()
"""
