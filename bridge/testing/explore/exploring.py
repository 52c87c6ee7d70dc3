"""Explore an app: let Hypothesis play odd calls, and keep the shortest of each kind of failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final, Self

import hypothesis
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import run_state_machine_as_test

from bridge.simulator.clock import StuckError
from bridge.testing.app_under_test import AppStartError
from bridge.testing.explore.caller import OddCaller, Step
from bridge.testing.explore.machine import Act, machine
from bridge.testing.explore.repeating import repeat, shorter
from bridge.testing.explore.scenario_text import scenario_text
from bridge.testing.explore.watch import Finding, Limits, Watch
from bridge.testing.portal import Portal, portal
from bridge.testing.rig import Rig, rig
from bridge.testing.scenario.playing import Options, app_running, app_url

#: Longest that is looked for a shorter call, in real s and in examples, after the last new failure.
SHRINK_S: Final = 60.0
SHRINKS: Final = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What is explored, and how far.

    `app` says where the app is, and with which seed, profile and faults it is called; the seed is
    given. `fresh_app` starts its command anew for each example. `keep` is a folder in which
    Hypothesis remembers failures from one run to the next.
    """

    app: Options
    max_examples: int = 100
    steps: int = 20
    allow: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    fresh_app: bool = False
    keep: Path | None = None
    shrink_s: float = SHRINK_S
    shrinks: int = SHRINKS

    @property
    def seed(self) -> int:
        """Give the seed of everything that is random."""
        return self.app.seed or 0


@dataclass(frozen=True, slots=True)
class Found:
    """A failure with the shortest call that brings it about; `repeats` = its scenario failed too."""

    finding: Finding
    steps: tuple[Step, ...]
    rig: Rig
    scenario: str
    repeats: bool = False

    @property
    def size(self) -> tuple[int, int, int, int]:
        """Compare by this: the smaller, the better."""
        acts = sum(step.verb not in {"dial", "wait"} for step in self.steps)
        letters = sum(len(str(step)) for step in self.steps)
        return len(self.steps), acts, len(self.rig.timeline.entries), letters


@dataclass(slots=True)
class Exploration:
    """What came out. `unreachable` says why the app could not be asked at all, "" when it could.

    `stopped` says why it ended early; "" when it went to its end.
    """

    plan: Plan
    examples: int = 0
    calls: int = 0
    found: list[Found] = field(default_factory=list)
    unreachable: str = ""
    stopped: str = ""


class _Enough(BaseException):
    """Stop exploring; the text says why. Only a BaseException leaves Hypothesis at once."""


class _Broken(Exception):  # noqa: N818 -- named for what it says to Hypothesis
    """The app is broken; one subclass a code, for Hypothesis tells failures apart by their class."""


def explore(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Exploration:
    """Explore; `say` is told how it goes. Raises FaultError and ValueError for a wrong plan."""
    result = Exploration(plan)
    with portal() as running, _home(plan.keep) as database, _App(plan, running) as app:
        stage = _Stage(plan, result, running, app, say)
        settings = hypothesis.settings(
            max_examples=plan.max_examples,
            stateful_step_count=plan.steps,
            deadline=None,
            database=database,
            phases=[one for one in hypothesis.Phase if one.name not in {"explicit", "explain"}],
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
            print_blob=False,
            report_multiple_bugs=True,
        )
        try:
            run_state_machine_as_test(hypothesis.seed(plan.seed)(machine(stage)), settings=settings)
        except _Enough as enough:
            result.stopped = str(enough)
        except KeyboardInterrupt:
            result.stopped = "It was interrupted."
        except Exception:
            # Flaky failures included: an app may remember calls, and what was seen was seen.
            if not stage.best:
                raise
        finally:
            stage.close()
        for found in sorted(stage.best.values(), key=lambda one: one.size):
            result.found.append(stage.repeated(found))
    return result


@contextmanager
def _home(keep: Path | None) -> Iterator[DirectoryBasedExampleDatabase | None]:
    """Let Hypothesis write nothing into the working directory."""
    with TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield None if keep is None else DirectoryBasedExampleDatabase(keep)
        finally:
            set_hypothesis_home_dir(None)


class _App:
    """The app under test: where it is; started, and started anew, when it is a command."""

    def __init__(self, plan: Plan, running: Portal) -> None:
        self._plan = plan
        self._portal = running
        self._open: AbstractAsyncContextManager[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_command(self) -> bool:
        """Say whether it can be started anew."""
        return bool(self._plan.app.app_command)

    def start(self) -> None:
        """Start it unless it runs. Raises AppStartError."""
        if self._open is not None:
            return
        context = app_running(self._plan.app)
        base = self._portal.run(context.__aenter__())
        self._open = context
        self.url = app_url(base, self._plan.app.app)

    def stop(self) -> None:
        """Stop it when it runs."""
        context, self._open = self._open, None
        if context is not None:
            self._portal.run(context.__aexit__(None, None, None))


class _Stage:
    """The rigs, one an example, and what was found on them."""

    def __init__(
        self,
        plan: Plan,
        result: Exploration,
        running: Portal,
        app: _App,
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._result = result
        self._portal = running
        self._app = app
        self._say = say
        self._kinds: dict[str, type[_Broken]] = {}
        self._stop_at: tuple[float, int] | None = None
        self._context: AbstractAsyncContextManager[Rig] | None = None
        self._rig: Rig | None = None
        self._caller: OddCaller | None = None
        self._watch: Watch | None = None
        self.best: dict[str, Found] = {}

    def begin(self) -> None:
        """Open a rig for one more example."""
        self.close()
        if self._stop_at is not None:
            seconds, examples = self._stop_at
            if monotonic() > seconds or self._result.examples > examples:
                raise _Enough("It was not looked for shorter calls any longer.")
        if self._plan.fresh_app:
            self._app.stop()
        try:
            rig = self._opened()
        except AppStartError as error:
            rig = self._again(error)
        self._portal.run(self._skip_callids(rig))
        self._rig = rig
        self._watch = Watch(rig, self._plan.limits, faulty=bool(self._plan.app.faults))
        self._caller = OddCaller(rig, self._is_found)
        self._result.examples += 1

    def _opened(self) -> Rig:
        self._app.start()
        self._context = self._new_rig()
        try:
            return self._portal.run(self._context.__aenter__())
        except BaseException:
            self._context = None
            raise

    def _again(self, error: AppStartError) -> Rig:
        """Try once more with the command started anew: the last call may have ended the app."""
        if self._app.is_command and self._result.examples:
            self._app.stop()
            return self._opened()
        if not self.best:
            self._result.unreachable = str(error)
        raise _Enough(str(error))

    def _new_rig(self) -> AbstractAsyncContextManager[Rig]:
        options = self._plan.app
        return rig(
            self._app.url,
            seed=self._plan.seed,
            profile=options.profile or "normal",
            faults=options.faults,
            allow=self._plan.allow,
        )

    async def _skip_callids(self, rig: Rig) -> None:
        # The app may remember calls by their ids, which therefore never come back.
        for _ in range(self._result.calls):
            await rig.bridge.store.allocate_callid()

    def act(self, act: Act) -> None:
        """Let the caller do something. Raises _Broken when something is found."""
        assert self._caller is not None  # noqa: S101 -- Hypothesis begins each example
        self._do(act(self._caller))

    def end(self) -> None:
        """End the example. Raises _Broken when something is found."""
        try:
            if self._rig is not None and not self._is_found():
                self._do(self._finish(self._rig))
        finally:
            self.close()

    async def _finish(self, rig: Rig) -> None:
        assert self._caller is not None  # noqa: S101 -- made together with the rig
        await self._caller.all_hang_up()
        if not await rig.finish() and self._watch is not None:
            self._watch.fail("A call never ended, or the app was not told, though all hung up.")

    def _do(self, work: Any) -> None:
        try:
            self._portal.run(work)
        except StuckError as error:
            assert self._watch is not None  # noqa: S101 -- made together with the caller
            self._watch.fail(str(error))
        finding = self._watch.finding if self._watch is not None else None
        if finding is not None:
            self._keep(finding)
            raise self._kind(finding.code)(finding.sentence)

    def _is_found(self) -> bool:
        return self._watch is not None and self._watch.finding is not None

    def _keep(self, finding: Finding) -> None:
        assert self._rig is not None  # noqa: S101 -- something was found on it
        assert self._caller is not None  # noqa: S101 -- made together with the rig
        steps = tuple(self._caller.steps)
        found = Found(finding, steps, self._rig, self._text(finding, steps))
        known = self.best.get(finding.code)
        if known is None:
            # Examples that are to be tried anyway are not taken from those that shorten.
            more = self._plan.max_examples + self._plan.shrinks
            self._stop_at = (monotonic() + self._plan.shrink_s, self._result.examples + more)
            self._say(
                f"{finding.code} in example {self._result.examples}; looking for a shorter call …"
            )
        if known is None or found.size < known.size:
            self.best[finding.code] = found

    def _text(self, finding: Finding, steps: tuple[Step, ...]) -> str:
        return scenario_text(
            finding,
            steps,
            seed=self._plan.seed,
            profile=self._plan.app.profile or "normal",
            faults=self._plan.app.faults,
            allow=self._plan.allow,
        )

    def _kind(self, code: str) -> type[_Broken]:
        return self._kinds.setdefault(code, type(code, (_Broken,), {}))

    def close(self) -> None:
        """Take the rig down."""
        context, self._context = self._context, None
        if context is None:
            return
        if self._rig is not None:
            self._result.calls += len(self._rig.plivo.lines)
        self._rig = self._caller = self._watch = None
        self._portal.run(context.__aexit__(None, None, None))

    def repeated(self, found: Found) -> Found:
        """Play the scenario of a call, and leave out what it does not need."""
        until = monotonic() + self._plan.shrink_s
        if self._again_on(found) is None:
            return found
        found = replace(found, repeats=True)
        left = shorter(found.steps)
        while monotonic() < until and (steps := next(left, None)) is not None:
            tried = replace(found, steps=steps, scenario=self._text(found.finding, steps))
            again = self._again_on(tried)
            if again is not None:
                finding, rig = again
                text = self._text(finding, steps)
                found = replace(tried, finding=finding, rig=rig, scenario=text)
                left = shorter(steps)
        return found

    def _again_on(self, found: Found) -> tuple[Finding, Rig] | None:
        """Give what is found again, and on which rig; None when it is not."""
        # What was found may have ended the app: then it is started anew, once.
        for fresh in (self._plan.fresh_app, self._app.is_command):
            if fresh:
                self._app.stop()
            try:
                self._app.start()
                return self._portal.run(
                    repeat(found.scenario, self._app.url, found.finding.code, self._plan.limits)
                )
            except AppStartError:
                continue
        return None


__all__ = ["SHRINKS", "SHRINK_S", "Exploration", "Found", "Plan", "explore"]
