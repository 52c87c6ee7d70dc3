"""Checking the params of a command with the models that the bridge itself reads them with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import ValidationError

from bridge.rt_schema.params import expectation, spellings
from mappings._rt.wav import WavError, decode_wav

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from mappings._kernel.command import Command
    from mappings._rt.params import Params

__all__ = ["Finding", "check_params", "close_to", "shown"]

_LONGEST_SHOWN: Final = 60


class Finding(NamedTuple):
    """What is wrong with one value of a reply; see `bridge.testing.contract.Violation`."""

    code: str
    path: str
    sentence: str
    expected: str


def check_params(command: Command[Any], params: dict[str, Any]) -> Iterator[Finding]:
    """Find unknown, missing and wrong params; `params` are as `read_response` gives them."""
    yield from _unknown(command.name, command.params, params, "$.params")
    try:
        read = command.params.model_validate(params)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False):
            yield _wrong(command, fault)
        return
    if command.name == "play_wav_data":
        yield from _wav(read.audio_data)


def close_to(word: str, known: Sequence[str]) -> str:
    """Give " Did you mean …?" for what looks like a known word in any case, else ""."""
    lower = {name.lower(): name for name in known}
    matches = get_close_matches(word.strip().lower(), lower, n=1)
    return f' Did you mean "{lower[matches[0]]}"?' if matches else ""


def shown(value: object) -> str:
    """Show a value as JSON, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    # Half a surrogate pair could not be printed.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _unknown(
    name: str, model: type[Params], params: dict[str, Any], path: str
) -> Iterator[Finding]:
    known = spellings(model)
    read = {spelling for names in known.values() for spelling in names}
    for sent in params:
        if sent not in read:
            sentence = f"{name} has no parameter {shown(sent)}; it is ignored."
            names = f"one of {', '.join(known)}" if known else "no parameters"
            yield Finding(
                "UNKNOWN_PARAMETER",
                f"{path}{_step(sent)}",
                sentence + close_to(sent, list(known)),
                names,
            )
    for param in known:
        inner = expectation(model, param).model
        value = params.get(param)
        if inner is not None and isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, dict):
                    where = f"{path}.{param}[{position}]"
                    yield from _unknown(f"{name}.{param}", inner, item, where)


def _wrong(command: Command[Any], fault: ErrorDetails) -> Finding:
    path = f"$.params{''.join(map(_step, fault['loc']))}"
    where = ".".join(str(part) for part in (command.name, *fault["loc"]))
    expected = _expected(command.params, fault["loc"])
    if fault["type"] == "missing":
        return Finding("MISSING_PARAMETER", path, f"{where} is missing.", expected)
    words = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "model_type":
        words = "an object is expected"
    sentence = f"{where} is {shown(fault['input'])}: {words[:1].lower()}{words[1:]}."
    return Finding("INVALID_PARAMETER", path, sentence, expected)


def _expected(model: type[Params], location: tuple[int | str, ...]) -> str:
    """Say what belongs at a place in the params."""
    words = ""
    for part in location:
        if isinstance(part, int):
            fields = ", ".join(
                f"{name}: {expectation(model, name).words}" for name in spellings(model)
            )
            words = f"an object with {fields}"
            continue
        documented = {
            spelling: name for name, names in spellings(model).items() for spelling in names
        }
        name = documented[part]
        kind = expectation(model, name)
        words = kind.words
        default = model.model_fields[name].default
        if isinstance(default, bool | int | str):
            words = f"{words}; {shown(default)} when left out"
        model = kind.model or model
    return words


def _wav(audio: str) -> Iterator[Finding]:
    try:
        decode_wav(audio)
    except WavError as error:
        yield Finding(
            "INVALID_PARAMETER",
            "$.params.audio_data",
            f"play_wav_data.audio_data cannot be played: {error}.",
            "base64 of a RIFF WAVE file: PCM, 8000 Hz, 16 bit, mono",
        )


def _step(part: int | str) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if part.isidentifier() else f"[{json.dumps(part)}]"
