from __future__ import annotations

import pytest

from bridge.testing.verify.paths import JsonPath, PathError, written


@pytest.mark.parametrize(
    ("text", "covered", "spared"),
    [
        ("command", [("command",)], [("params",), ()]),
        ("$.params.media_id", [("params", "media_id")], [("params", "media"), ("params",)]),
        (
            "params.targets[0]",
            [("params", "targets", 0), ("params", "targets", 0, "number")],
            [("params", "targets", 1)],
        ),
        (
            "params.targets[*].number",
            [("params", "targets", 7, "number")],
            [("params", "targets", 7)],
        ),
        ("variables.*.at", [("variables", "x", "at")], [("variables", "at")]),
        ('variables["a \\"b"]', [("variables", 'a "b')], [("variables", "a")]),
        ("*", [("command",), ("variables", "x")], []),
        ("variables.naïve-id", [("variables", "naïve-id")], []),
    ],
)
def test_path_covers_what_it_names_and_below(
    text: str, covered: list[tuple[str | int, ...]], spared: list[tuple[str | int, ...]]
) -> None:
    """Names, indexes, quoted names and `*` are understood; members above are not covered."""
    path = JsonPath.parse(text)

    assert covered == [steps for steps in (*covered, *spared) if path.covers(steps)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' must begin with one of command, params, variables"),
        ("$.", "'$.' must begin with one of command, params, variables"),
        ("media_id", "'media_id' must begin with one of command, params, variables"),
        (
            "params..x",
            (
                "'params..x' is no JSON path from its character 7 on; one looks like "
                'params.targets[0].number, variables.* or params["a b"]'
            ),
        ),
        (
            ".params",
            (
                "'.params' is no JSON path from its character 1 on; one looks like "
                'params.targets[0].number, variables.* or params["a b"]'
            ),
        ),
        (
            "params[01]",
            (
                "'params[01]' is no JSON path from its character 7 on; one looks like "
                'params.targets[0].number, variables.* or params["a b"]'
            ),
        ),
    ],
)
def test_what_is_no_path_is_explained(text: str, sentence: str) -> None:
    """A path that could never match is an error that shows where it goes wrong."""
    with pytest.raises(PathError) as caught:
        JsonPath.parse(text)

    assert sentence == str(caught.value)


def test_written_path_can_be_given_to_ignore() -> None:
    """The path a report shows is the one to ignore, whatever the names are."""
    steps = ("variables", 'a "b', "c", 0, "é", "1x")

    assert 'variables["a \\"b"].c[0].é["1x"]' == written(steps)
    assert JsonPath.parse(written(steps)).covers(steps)
