"""Odd callers on a rig: what they do, and the steps they remember."""

from __future__ import annotations

from support_kit import command, play, read, simulated, tts

from bridge.testing.explore.caller import OddCaller

DIALOUT = command("dialout", targets=[{"number": "+33199000001", "timeout": 20}])


def steps(caller: OddCaller) -> list[str]:
    """Give the steps as lines."""
    return [str(step) for step in caller.steps]


async def test_keys_are_pressed_when_they_are_accepted() -> None:
    """The phone dials first; `press` waits until keys are accepted, and so does its step."""
    async with simulated(play("A story. " * 10), read("Code?", max_digits=2)) as it:
        caller = OddCaller(it, lambda: False)
        await caller.press("first", "42")
        await caller.all_hang_up()
        await it.finish()
    # 89 characters at 15 a second.
    assert ["first: dial", "first: wait 5.933s", "first: press keys 42"] == steps(caller)
    assert "42" in {turn.request["command_result"] for turn in it.turns}


async def test_what_is_not_accepted_becomes_silence() -> None:
    """Where no keys are accepted within 10 s, nothing is pressed."""
    async with simulated(command("wait", wait=30)) as it:
        caller = OddCaller(it, lambda: False)
        await caller.press("first", "1")
        await caller.speak("first", 3.0, "#")
        await caller.take("first", "answer")
        await caller.party_hangs_up("first")
        await caller.party_presses("first", "1")
        await caller.talk("first", "hello")
        await caller.all_hang_up()
    wait = "first: wait 10s"
    assert ["first: dial", wait, wait, wait, "first: make noise 1s"] == steps(caller)


async def test_keys_may_be_pressed_at_once() -> None:
    """Whether or not anybody listens."""
    async with simulated(command("wait", wait=5)) as it:
        caller = OddCaller(it, lambda: False)
        await caller.press("second", "1*", at_once=True)
        await caller.all_hang_up()
    assert ["second: dial", "second: press keys 1*, at once True"] == steps(caller)
    assert {"presses 1, and nobody listens", "presses *, and nobody listens"} <= set(
        it.timeline.texts("does")
    )


async def test_parties_take_calls_and_act() -> None:
    """The party that rings declines or answers; one that talks presses keys and hangs up."""
    async with simulated(DIALOUT, DIALOUT) as it:
        caller = OddCaller(it, lambda: False)
        await caller.take("first", "reject")
        await caller.take("first", "answer")
        await caller.party_presses("first", "5")
        await caller.party_hangs_up("first")
        assert not caller.is_over("second")
        await it.finish()
    assert caller.is_over("first")
    acts = [line for line in steps(caller) if "wait" not in line]
    assert [
        "first: dial",
        "first: reject leg 1",
        "first: answer leg 2",
        "first: press keys 5, leg 2, at once True",
        "first: hang up leg 2",
    ] == acts
    assert {"rejected", "connected"} <= {entry.data["state"] for entry in it.timeline.of("leg")}


async def test_caller_speaks_into_a_recording_and_says_words() -> None:
    """Speech goes where it is listened to."""
    listen = command("play_talk_detect", media_id=tts("Are you there? " * 5))
    async with simulated(command("record", max_duration=30, silence=5), listen) as it:
        caller = OddCaller(it, lambda: False)
        await caller.speak("first", 2.5, "#")
        await caller.be_silent(1.0)
        await caller.talk("first", "yes")
        await it.finish()
    # The end of the recording is heard of only after a while.
    assert "first: speak 2.5s, key #" in steps(caller)
    assert "first: say text yes" in steps(caller)
    assert "TALK" in {turn.request["command_result"] for turn in it.turns}


async def test_phone_calls_again_after_its_call() -> None:
    """Whatever is done on a phone whose call is over begins with a new call."""
    async with simulated() as it:
        caller = OddCaller(it, lambda: False)
        await caller.dial("first")
        await caller.hang_up("first")
        await caller.make_noise("first", 0.5)
        await it.finish()
    assert ["first: dial", "first: dial", "first: hang up", "first: dial"] == [
        line for line in steps(caller) if "noise" not in line
    ]


async def test_silence_ends_when_enough_was_seen() -> None:
    """The step says how long it really lasted."""
    async with simulated(read("Code?", attempts=20)) as it:
        caller = OddCaller(it, lambda: it.clock.now() - it.plivo.began >= 12)
        await caller.be_silent(600.0)
        await caller.all_hang_up()
    waited = float(steps(caller)[1].removeprefix("first: wait ").removesuffix("s"))
    assert 12 <= waited < 60
