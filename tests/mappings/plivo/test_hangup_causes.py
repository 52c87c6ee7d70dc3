"""A call that never got up ends in the one RT word that tells the app why."""

from __future__ import annotations

import pytest

from mappings._plivo.hangup_causes import CAUSES, FinalStatus, describe, final_status

_BY_STATUS: dict[FinalStatus | None, set[int]] = {
    "NOANSWER": {1000, 3000, 6010, 9000, 9100, 9110},
    "BUSY": {3010, 3100},
    "CONGESTION": {
        *(2000, 2010, 2020),
        *(3020, 3040, 3050, 3070, 3080, 3090, 3110, 3120),
        *(5000, 5010, 5020),
    },
    "REJECTED": {
        *(1010, 1020),
        *(2030, 2040, 2050, 2060, 2070),
        *(3030, 3130, 3140),
        *(4210, 4240, 4250, 5030),
        *(7011, 7012, 7013, 7014, 7022, 7023, 7024, 7032, 7033, 7034),
        *(8011, 8012, 8013, 8014),
    },
    None: {0, 4000, 4010, 4020, 4030, 6000, 6020},
}


def test_every_documented_code_has_its_place() -> None:
    """The table holds exactly the documented codes, each under the status it stands for."""
    found: dict[FinalStatus | None, set[int]] = {}
    for code, cause in CAUSES.items():
        found.setdefault(cause.status, set()).add(code)
    assert found == _BY_STATUS


def test_every_code_has_a_name_and_a_reason() -> None:
    """No row of the table is a bare verdict."""
    assert [code for code, cause in CAUSES.items() if not (cause.name and cause.reason)] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [("3010", "BUSY"), (6010, "NOANSWER"), (" 3080 ", "CONGESTION"), ("3030", "REJECTED")],
)
def test_the_code_outweighs_everything_else(code: str | int, expected: FinalStatus) -> None:
    """A code that says why wins over a raw cause, a status and a source that disagree."""
    assert final_status("completed", code, "NORMAL_CLEARING", "Callee") == expected


@pytest.mark.parametrize("code", [None, "", "0", "4000", "4711", "x", "٣٠١٠", "9" * 5000])
@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("USER_BUSY", "BUSY"),
        ("user busy", "BUSY"),
        ("NO_ANSWER", "NOANSWER"),
        ("ORIGINATOR_CANCEL", "NOANSWER"),
        ("CALL_REJECTED", "CONGESTION"),
        ("NETWORK_OUT_OF_ORDER", "CONGESTION"),
        ("OUTGOING_CALL_BARRED", "REJECTED"),
    ],
)
def test_a_raw_cause_decides_where_the_code_is_silent(
    code: str | None,
    cause: str,
    expected: FinalStatus,
) -> None:
    """Without a telling code the switch's own cause counts before the status."""
    assert final_status("completed", code, cause, "Plivo") == expected


@pytest.mark.parametrize(
    ("call_status", "expected"),
    [
        ("busy", "BUSY"),
        ("no-answer", "NOANSWER"),
        ("timeout", "NOANSWER"),
        ("Cancel", "NOANSWER"),
        ("completed", "HANGUP"),
    ],
)
def test_the_call_status_decides_where_both_causes_are_silent(
    call_status: str,
    expected: FinalStatus,
) -> None:
    """CallStatus alone is enough, whatever ordinary cause comes with it."""
    assert final_status(call_status, "4000", "NORMAL_CLEARING", "Carrier") == expected


@pytest.mark.parametrize(
    ("call_status", "source", "expected"),
    [
        ("failed", "Carrier", "CONGESTION"),
        ("failed", "Callee", "CONGESTION"),
        ("failed", "Plivo", "REJECTED"),
        ("failed", "Error", "REJECTED"),
        ("failed", "API Request", "NOANSWER"),
        ("failed", "Unknown", "CONGESTION"),
        ("failed", None, "CONGESTION"),
        ("", "Carrier", "CONGESTION"),
        ("", "Unknown", "REJECTED"),
        ("", None, "REJECTED"),
        ("ringing", "", "REJECTED"),
    ],
)
def test_a_bare_failure_is_judged_by_who_ended_it(
    call_status: str,
    source: str | None,
    expected: FinalStatus,
) -> None:
    """The hangup source tells a carrier's failure from the platform's."""
    assert final_status(call_status, None, None, source) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("3010", "Busy Line"),
        (4010, "End Of XML Instructions"),
        ("4711", "unlisted cause code 4711"),
        (None, "no cause code"),
        ("", "no cause code"),
        ("3010\nforged=1", "no cause code"),
    ],
)
def test_a_code_is_described_by_plivos_name(code: str | int | None, expected: str) -> None:
    """Logs show Plivo's own name, and nothing a stranger wrote into the field."""
    assert describe(code) == expected
