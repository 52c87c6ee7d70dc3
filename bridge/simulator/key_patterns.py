"""Keys that mean something while parties talk: digitsMatch of Dial and Conference."""

from __future__ import annotations

from typing import Final

#: s after which a key begins anew. Nobody documents it; it is what FreeSWITCH does.
BETWEEN_KEYS_S: Final = 1.5


class KeyPatterns:
    """Collects keys until they are one of the patterns; the shorter of two patterns wins."""

    def __init__(self, patterns: str) -> None:
        """Take the value of the attribute, patterns with commas between them."""
        self._patterns = frozenset(filter(None, patterns.split(",")))
        self._typed = ""
        self._last = 0.0

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def press(self, key: str, now: float) -> tuple[str, str]:
        """Take a key; give the pattern it completes, and the keys that cannot become one any more.

        The one or the other is "" when there is none.
        """
        passed_on = ""
        if now - self._last > BETWEEN_KEYS_S:
            passed_on, self._typed = self._typed, ""
        self._last = now
        self._typed += key
        while self._typed:
            if self._typed in self._patterns:
                matched, self._typed = self._typed, ""
                return matched, passed_on
            if any(pattern.startswith(self._typed) for pattern in self._patterns):
                break
            passed_on += self._typed[0]
            self._typed = self._typed[1:]
        return "", passed_on


__all__ = ["BETWEEN_KEYS_S", "KeyPatterns"]
