"""Masks: another value of the same shape in the place of a number, of keys pressed or of a name.

Within one recording equal values get equal masks and different values different ones, so that a
masked recording still says who was called twice. A mask is never the value itself.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Final, Literal, get_args

__all__ = ["HIDDEN", "LEVELS", "Level", "Masks"]

#: How much is masked, from nothing to everything that may tell who called and what they typed.
Level = Literal["none", "numbers", "all"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)

#: Stands for a secret of which nothing is to be known.
HIDDEN: Final = "[hidden]"

_DIGIT: Final = re.compile("[0-9]")
# ITU-T E.164 assigns country codes of one to three digits, told apart by how they begin.
_COUNTRY_CODE: Final = re.compile(
    "[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}"
)
_SHORTEST_NUMBER: Final = 7
_ALWAYS_MASKED: Final = 5
_SHORTEST_TAIL: Final = 8
#: Two digits have 90 masks; when they are used up, two values share one.
_TRIES: Final = 1000
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz"


class Masks:
    """The masks of one recording.

    Without `key` nobody can compute them again. A `key` gives the same masks in every recording;
    whoever knows it can find the values out by trying, so it must be kept secret.
    `keep` names numbers, in any spelling, that stay as they are.
    """

    def __init__(self, key: bytes | None = None, keep: tuple[str, ...] = ()) -> None:
        self._key = key or secrets.token_bytes(32)
        self._known = {compact: compact for compact in map(_international, keep)}
        self._used = set(self._known)

    def known(self, compact: str) -> str | None:
        """Give the mask of digits that were masked before."""
        return self._known.get(compact)

    def digits(self, text: str) -> str:
        """Mask every digit; what stands between them stays (`12 34#`)."""
        compact = "".join(_DIGIT.findall(text))
        return _poured(text, self._masked(compact, 0)) if compact else text

    def number(self, text: str) -> str:
        """Mask a telephone number or SIP address; words without any digit stay.

        Country code and the digit after it stay. National spellings of a number that was masked
        before get the end of that mask.
        """
        if "@" in text:
            return self._address(text)
        compact = "".join(_DIGIT.findall(text))
        if len(compact) < _SHORTEST_NUMBER:
            return self.digits(text)
        if "+" not in text:
            if compact.startswith("00") and len(compact) >= _SHORTEST_NUMBER + 2:
                return _poured(text, "00" + self._number(compact[2:]))
            if compact.startswith("0") and compact not in self._known:
                return _poured(text, self._national(compact))
        return _poured(text, self._number(compact))

    def name(self, text: str) -> str:
        """Give another name; numbers shown as a name are masked as numbers."""
        if not any(character.isalpha() for character in text):
            return self.number(text)
        return f"Caller {self._letters(text)}"

    def _letters(self, text: str) -> str:
        return "".join(_LETTERS[byte % len(_LETTERS)] for byte in self._hash(text, 0)[:4])

    def _address(self, text: str) -> str:
        before, _, host = text.rpartition("@")
        scheme, colon, user = before.rpartition(":")
        masked = self.number(user) if _DIGIT.search(user) else f"caller-{self._letters(user)}"
        return f"{scheme}{colon}{masked}@{host}"

    def _number(self, compact: str) -> str:
        code = _COUNTRY_CODE.match(compact)
        kept = (code.end() if code else 0) + 1
        return self._masked(compact, max(0, min(kept, len(compact) - _ALWAYS_MASKED)))

    def _national(self, compact: str) -> str:
        tail = compact.lstrip("0")
        if len(tail) >= _SHORTEST_TAIL:
            for number, mask in self._known.items():
                if number.endswith(tail):
                    return compact[: -len(tail)] + mask[-len(tail) :]
        return self._masked(compact, 1)

    def _masked(self, compact: str, kept: int) -> str:
        found = self._known.get(compact)
        if found is not None:
            return found
        # As a JSON number it keeps its length only if it does not begin to start with a zero.
        zero = "0" if not kept and len(compact) > 1 and compact[0] == "0" else ""
        head = compact[:kept] or zero
        length = len(compact) - len(head)
        mask = ""
        for attempt in range(_TRIES):
            drawn = int.from_bytes(self._hash(compact, attempt)) % 10**length
            mask = f"{head}{drawn:0{length}}"
            natural = len(mask) == 1 or (mask[0] == "0") == (compact[0] == "0")
            if natural and mask != compact and mask not in self._used:
                break
        else:
            mask = f"{head}{(int(compact[len(head) :]) + 1) % 10**length:0{length}}"
        self._known[compact] = mask
        self._used.add(mask)
        return mask

    def _hash(self, text: str, attempt: int) -> bytes:
        return hmac.digest(self._key, f"{attempt}:{text}".encode("utf-8", "replace"), "sha256")


def _international(number: str) -> str:
    compact = "".join(_DIGIT.findall(number))
    return compact if "+" in number else compact.removeprefix("00")


def _poured(text: str, digits: str) -> str:
    """Put digits in the place of those of a text."""
    following = iter(digits)
    return _DIGIT.sub(lambda _match: next(following), text)
