"""Playing a recorded call against an app, turn by turn, and telling what the app now does otherwise."""

from bridge.testing.verify.compare import ABSENT, Difference, Pairs, compare_replies
from bridge.testing.verify.paths import JsonPath, PathError
from bridge.testing.verify.player import PlayedTurn, Player, Verdict, Verification

__all__ = [
    "ABSENT",
    "Difference",
    "JsonPath",
    "Pairs",
    "PathError",
    "PlayedTurn",
    "Player",
    "Verdict",
    "Verification",
    "compare_replies",
]
