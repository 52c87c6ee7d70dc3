"""What the YAML library stumbles over, in plain words: the place, the fault and the fix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from yaml.error import Mark, MarkedYAMLError

QUOTE_IT: Final = 'Put it in quotes, for example "*1".'


@dataclass(frozen=True, slots=True)
class _Rule:
    """What to say when the library says `said`; `began` = point at where the thing began."""

    said: str
    what: str
    fix: str = QUOTE_IT
    began: bool = False


_RULES: Final = (
    _Rule(r"`(.)[^`]*` is an? (alias|anchor|tag)", r"\g<0> in YAML, not text that begins with \1."),
    _Rule("scanning an alias", "In YAML no text begins with *.", began=True),
    _Rule("scanning an anchor", "In YAML no text begins with &.", began=True),
    _Rule("scanning a tag", "In YAML no text begins with !.", began=True),
    _Rule(r"found character '\\t'", "There is a tab.", "Indent with spaces."),
    _Rule("found character '(.)'", r"In YAML no text begins with \1."),
    _Rule(
        "scanning a directive|<document start>",
        "This cannot stand outside of a key.",
        "A scenario is a table with keys such as `to:` and `steps:`.",
    ),
    _Rule("a block scalar", "In YAML no text of one line begins with | or >.", began=True),
    _Rule("mapping keys are not", "In YAML no text begins with a question mark and a space."),
    _Rule(
        "mapping values are not",
        "A colon and a space make a key of what stands before them.",
        "Put the text in quotes when the colon belongs to it, else correct the indentation.",
    ),
    _Rule(
        "sequence entries are not",
        "A list must begin in a line of its own.",
        "Put the text in quotes when the dash belongs to it.",
    ),
    _Rule("single document", "A second document begins here.", "Write one scenario per file."),
    _Rule(
        "unknown escape|escape sequence",
        "In double quotes a backslash begins an escape, and this is none.",
        r"Write \\\\ for a backslash, or use single quotes.",
    ),
    _Rule(
        "quoted scalar", "This quotation mark is not closed.", "Add the closing one.", began=True
    ),
    _Rule(
        "a flow ",
        "This [ or { is not closed, or a comma is missing in it.",
        "Close it, or put the text in quotes when the bracket belongs to it.",
        began=True,
    ),
    _Rule("expected the node content", "No text begins with this character in YAML."),
    _Rule(
        "expected <block end>|could not find expected ':'",
        "This does not fit to the lines above it.",
        "Check the indentation, the dashes, that each key has a colon and a space after it, "
        "and that nothing follows a closing quotation mark.",
    ),
)


def explained(error: MarkedYAMLError) -> tuple[Mark | None, str, str]:
    """Give where to look, what is wrong and what to do."""
    said = f"{error.context or ''} | {error.problem or ''}"
    for rule in _RULES:
        if found := re.search(rule.said, said):
            mark = error.context_mark if rule.began else error.problem_mark
            where = mark or error.problem_mark or error.context_mark
            return where, found.expand(rule.what), found.expand(rule.fix)
    where = error.problem_mark or error.context_mark
    return where, f"YAML does not allow this here ({error.problem}).", ""


__all__ = ["explained"]
