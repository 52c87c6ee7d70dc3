"""The reports for machines: JSON and JUnit XML, well-formed whatever an app or a test said."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree as ET

from bridge.testing.scenario.model import PlannedStep
from bridge.testing.scenario.results import ScenarioResult, StepResult

#: Version of the JSON report; keys may be added without a new one.
VERSION: Final = 1
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: XML 1.0 (section 2.2) has no way to write these, not even as references.
_NOT_IN_XML: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)


def to_json(results: Sequence[ScenarioResult], status: int) -> bytes:
    """Write the report as one JSON object in UTF-8; `status` is the exit status."""
    document = {
        "format": "plivo-rt-bridge/scenarios",
        "version": VERSION,
        "exit_status": status,
        "counts": _counts(results),
        "scenarios": [_scenario(result) for result in results],
    }
    return (json.dumps(plain(document), ensure_ascii=False, indent=2) + "\n").encode()


def to_junit(results: Sequence[ScenarioResult], name: str = "rt-bridge simulate") -> bytes:
    """Write the report as JUnit XML: one suite, one test case a scenario."""
    counts = _counts(results)
    totals = {
        "name": name,
        "tests": str(len(results)),
        "failures": str(counts["failed"]),
        "errors": str(counts["error"]),
        "skipped": "0",
        "time": _time(sum(result.real_s for result in results)),
    }
    root = ET.Element("testsuites", totals)
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    suite = ET.SubElement(root, "testsuite", totals | {"timestamp": now, "hostname": "localhost"})
    for result in results:
        _case(suite, result)
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _counts(results: Sequence[ScenarioResult]) -> dict[str, int]:
    return {
        name: sum(result.status == name for result in results)
        for name in ("passed", "failed", "error")
    }


def _scenario(result: ScenarioResult) -> dict[str, Any]:
    scenario = result.scenario
    return {
        "name": scenario.name,
        "file": scenario.file,
        "status": result.status,
        "seed": result.seed,
        "profile": scenario.profile or "normal",
        "faults": list(scenario.faults),
        "virtual_s": round(result.virtual_s, 3),
        "real_s": round(result.real_s, 3),
        "reproduce": result.reproduce,
        "traces": result.files,
        "failures": [{"where": where, "text": text} for where, text in result.messages()],
        "warnings": result.warnings,
        "steps": [step_data(one.step) | _outcome(one) for one in result.steps],
        "timeline": [entry.as_json() for entry in result.timeline.entries],
    }


def step_data(step: PlannedStep) -> dict[str, Any]:
    """Say what a step is and where it is written."""
    return {
        "number": step.number,
        "name": step.name,
        "title": step.title,
        "phone": step.phone,
        "line": step.place.line,
        "column": step.place.column,
    }


def _outcome(one: StepResult) -> dict[str, Any]:
    return {
        "status": one.status,
        "soft": one.step.soft,
        "at": round(one.at, 3),
        "took": round(one.took, 3),
        "ms": round(one.ms, 1),
        "failure": one.failure,
    }


def _case(suite: ET.Element, result: ScenarioResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": _xml(result.scenario.file),
            "name": _xml(result.scenario.name),
            "file": _xml(result.scenario.file),
            "time": _time(result.real_s),
        },
    )
    properties = ET.SubElement(case, "properties")
    for name, value in (
        ("seed", str(result.seed)),
        ("profile", result.scenario.profile or "normal"),
        ("faults", " ".join(result.scenario.faults)),
        ("reproduce", result.reproduce),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": _xml(value)})
    messages = result.messages()
    if messages:
        # Readers of JUnit expect one failure a test case: the first is its message.
        where, text = messages[0]
        first = text.strip().partition("\n")[0]
        tag = "error" if result.status == "error" else "failure"
        failure = ET.SubElement(
            case, tag, {"message": _xml(f"{where}: {first}"), "type": result.status}
        )
        failure.text = _xml("\n\n".join(f"{where}\n{text}" for where, text in messages))
    steps = (
        f"{one.status:8} line {one.step.place.line:4}  {one.step.label}" for one in result.steps
    )
    warnings = "".join(f"\nwarning: {text}" for text in result.warnings)
    output = "\n".join(steps) + f"{warnings}\n\n{result.timeline}\n"
    ET.SubElement(case, "system-out").text = _xml(output)


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"


def _xml(text: str) -> str:
    """Show what XML cannot hold as a visible escape."""
    return _NOT_IN_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain(value: Any) -> Any:
    """Make it JSON: infinite numbers and halves of characters have no place there."""
    match value:
        case str():
            return _LONE_SURROGATE.sub("\ufffd", value)
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {plain(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _:
            return str(value)


__all__ = ["VERSION", "plain", "step_data", "to_json", "to_junit"]
