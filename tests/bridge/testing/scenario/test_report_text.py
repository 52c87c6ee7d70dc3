from __future__ import annotations

import io
import re

import pytest
from support_scenario import scenario_of

from bridge.testing.scenario.report_text import Progress, print_plan, print_results
from bridge.testing.scenario.results import ScenarioResult, StepResult


class Terminal(io.StringIO):
    """What rich takes for a terminal."""

    def isatty(self) -> bool:
        """Say that somebody looks at it."""
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what the machine that runs the tests says about its terminal."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def result_of(failure: str = "") -> ScenarioResult:
    """Give a scenario of two steps; with a failure, the first one failed."""
    scenario = scenario_of("  - {name: age, press: 1}\n  - hang up\n")
    first, second = scenario.steps
    result = ScenarioResult(scenario, 7, reproduce="rt-bridge simulate x.yaml --seed 7")
    result.steps = [
        StepResult(first, "failed" if failure else "passed", failure, 1.0),
        StepResult(second, "not run" if failure else "passed", "", 2.0),
    ]
    result.virtual_s, result.real_s = 12.34, 0.056
    return result


def printed(*results: ScenarioResult, stream: io.StringIO | None = None) -> str:
    """Print results."""
    stream = stream or io.StringIO()
    print_results(results, stream)
    return stream.getvalue()


def test_the_table_sums_up() -> None:
    """Each scenario has a line with result, steps, and both times."""
    assert (
        "result  scenario  steps  call time  real time\n"
        "passed  x           2/2     12.3 s     0.06 s\n"
        "1 scenario passed\n"
    ) == printed(result_of())


def test_a_failure_has_its_place_its_words_and_the_way_to_see_it_again() -> None:
    """Failures come before the table."""
    result = result_of("nothing listens\n\nTimeline: …")
    result.files = ["traces/x.html"]

    assert (
        "FAILED  x\n"
        "  x.yaml:4:17: step 1 “age” (press: 1)\n"
        "    nothing listens\n"
        "\n"
        "    Timeline: …\n"
        "  seed 7, profile normal\n"
        "  again: rt-bridge simulate x.yaml --seed 7\n"
        "  trace: traces/x.html\n"
        "\n"
        "result  scenario  steps  call time  real time\n"
        "failed  x           0/2     12.3 s     0.06 s\n"
        "passed  x           2/2     12.3 s     0.06 s\n"
        "1 of 2 scenarios failed\n"
    ) == printed(result, result_of())


def test_the_command_is_not_repeated() -> None:
    """Where the words of the failure have the command, the report does not add it."""
    text = printed(result_of("no\nThe same again:\n  rt-bridge simulate x.yaml --seed 7"))

    assert 1 == text.count("rt-bridge simulate x.yaml --seed 7")


def test_warnings_are_printed_although_all_passed() -> None:
    """What the app did that is probably not meant is said."""
    result = result_of()
    result.warnings = ["SLOW_REPLY in turn 3"]

    assert printed(result).startswith("warning  x: SLOW_REPLY in turn 3\n")


def test_apps_cannot_steer_the_terminal() -> None:
    """Control characters in what an app said are shown and not sent."""
    text = printed(result_of("a\x1b[2Jb\x07c\u202ed"), stream=Terminal())

    assert r"a\u001b[2Jb\u0007c\u202ed" in text
    assert "\x1b[2J" not in text


def test_other_texts_are_printed_as_they_are() -> None:
    """No markup, no emoji codes, and no-break spaces stay what they are."""
    assert "[bold] :smile: 5\u00a0€ 😀" in printed(result_of("[bold] :smile: 5\u00a0€ 😀"))


def test_terminals_get_colours() -> None:
    """Results are coloured where somebody looks at them."""
    text = printed(result_of(), stream=Terminal())

    assert "\x1b[32mpassed" in text
    assert "call time" in text


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set, a terminal gets no colours either."""
    monkeypatch.setenv("NO_COLOR", "1")

    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", printed(result_of("no"), stream=Terminal()))


def test_the_plan_lists_steps() -> None:
    """Numbers, phones, names and what is soft or skipped are listed."""
    stream = io.StringIO()
    scenario = scenario_of(
        "  - {phone: ann, name: age, press: 1}\n  - {phone: bob, expect prompt: a, soft: yes}\n",
        "to: +33187654321\nphones: {ann: +33612345678, bob: +33612345679}\n",
    )

    print_plan([scenario], stream)

    assert (
        "x.yaml: x\n    1  ann: press: 1  [age]\n    2  bob: expect prompt: a  (soft)\n"
    ) == stream.getvalue()


def test_progress_is_a_line_for_each_scenario() -> None:
    """Where nobody looks, only what is over is said."""
    stream = io.StringIO()
    progress = Progress(stream, 3)

    progress.begin(result_of().scenario)
    progress.step(result_of().steps[0])
    progress.end(result_of())

    assert "[1/3] passed  x  (2 steps, 12.3 s of calls in 0.06 s)\n" == stream.getvalue()


def test_verbose_progress_names_every_step() -> None:
    """Each step has its result, its time, its number and its name."""
    stream = io.StringIO()
    progress = Progress(stream, 1, verbose=True)

    progress.begin(result_of().scenario)
    for step in result_of("no").steps:
        progress.step(step)

    assert [
        "[1/1] x",
        "  failed       1.0 s    1  age: press: 1",
        "  not run      2.0 s    2  hang up",
    ] == stream.getvalue().splitlines()


def test_terminals_see_the_step_that_is_played() -> None:
    """On a terminal the line of a step is replaced by the next, and by the result."""
    stream = Terminal()
    progress = Progress(stream, 1)

    progress.begin(result_of().scenario)
    progress.step(result_of().steps[0])
    progress.end(result_of())

    text = stream.getvalue()
    assert "\r[1/1] x " in text
    assert "\r[1/1]   1  press: 1 " in text
    assert text.count("\n") == 1
