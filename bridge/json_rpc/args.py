"""Positional parameters, read one by one; every fault names the parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from bridge.json_rpc.errors import Code, RpcError

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=BaseModel)

_MISSING: Final = object()
_LONGEST: Final = 4096


class Args:
    """The parameters of one request; `signature` is the method as people write it."""

    def __init__(self, signature: str, given: list[Any]) -> None:
        self._signature = signature
        self._left = list(given)

    def text(self, name: str, *, longest: int = _LONGEST) -> str:
        """Take text; a number counts, null and "" do not."""
        found = self.optional_text(name, longest=longest)
        if not found:
            raise self.bad(name, "is missing")
        return found

    def optional_text(self, name: str, *, longest: int = _LONGEST) -> str | None:
        """Take text, or None for null or nothing."""
        value = self._take(None)
        if value is None:
            return None
        if isinstance(value, bool | list | dict):
            raise self.bad(name, "must be a string")
        # 33612345678.0 is the same number; where dots are ignored it would become another one.
        whole = isinstance(value, float) and value.is_integer()
        text = str(int(value) if whole else value).strip()
        if len(text) > longest or not text.isprintable():
            raise self.bad(name, f"must be one line of at most {longest} characters")
        return text

    def whole(self, name: str) -> int:
        """Take a whole number, as such or as text."""
        value = self._take(_MISSING)
        if value is _MISSING or value is None:
            raise self.bad(name, "is missing")
        if isinstance(value, bool | list | dict) or not str(value).isascii():
            raise self.bad(name, "must be a whole number")
        text = str(value)
        if not text.isdigit() or len(text) > len(str(2**64)):
            raise self.bad(name, "must be a whole number")
        return int(text)

    def flag(self, name: str) -> bool:
        """Take a boolean; null and nothing are false."""
        value = self._take(None)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise self.bad(name, "must be true or false")

    def mapping(self, name: str) -> dict[str, Any]:
        """Take an object; null, nothing and PHP's empty array are an empty one."""
        value = self._take(None)
        if value is None or value == []:
            return {}
        if not isinstance(value, dict):
            raise self.bad(name, "must be an object")
        return value

    def model(self, name: str, model: type[M], codes: Mapping[str, Code]) -> M:
        """Take an object of a model; `codes` holds the codes of single fields."""
        value = self.mapping(name)
        try:
            return model.model_validate(value)
        except ValidationError as error:
            first, *more = error.errors(include_url=False, include_input=False)
            field = str(first["loc"][0]) if first["loc"] else ""
            code = Code.INVALID_PARAMS if more else codes.get(field, Code.INVALID_PARAMS)
            faults = "; ".join(
                f"{name}.{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
                for one in (first, *more)
            )
            raise self.bad(name, faults, code, whole=True) from None

    def rest(self) -> int:
        """Count the parameters that were not taken yet."""
        return len(self._left)

    def end(self) -> None:
        """Refuse more parameters; trailing nulls are none."""
        if any(value is not None for value in self._left):
            raise RpcError(Code.INVALID_PARAMS, f"too many parameters: {self._signature}")

    def bad(
        self, name: str, why: str, code: Code = Code.INVALID_PARAMS, *, whole: bool = False
    ) -> RpcError:
        """Make the error about a parameter."""
        sentence = why if whole else f"{name} {why}"
        return RpcError(code, f"{sentence}: {self._signature}")

    def _take(self, default: Any) -> Any:
        return self._left.pop(0) if self._left else default


__all__ = ["Args"]
