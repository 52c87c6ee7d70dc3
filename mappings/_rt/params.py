"""Reading the params of a command as legacy apps really send them (RT SDKs).

Numbers come as strings, strings as numbers, booleans as "true", "1" or 1, null or "" for "not set".
Unknown params are ignored; a value out of its documented range is an error that names it.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, model_validator

from mappings._rt.media import LibraryMedia, MediaFormatError, NoMedia, TtsMedia, parse_media


class Params(BaseModel):
    """Base of every params model: tolerant, immutable, blind to what it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", coerce_numbers_to_str=True, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, raw: Any) -> Any:
        """Let null, and "" where no text is expected, mean that the param was left out."""
        if not isinstance(raw, dict):
            return raw
        values = raw.values()
        if None not in values and "" not in values:
            return raw
        return {key: value for key, value in raw.items() if value is not None and value != ""}


def _media(raw: object) -> LibraryMedia | NoMedia | TtsMedia:
    try:
        return parse_media(raw)
    except MediaFormatError as error:
        raise ValueError(str(error)) from None


def _flag(raw: object) -> object:
    return raw.strip().lower() if isinstance(raw, str) else raw


#: rt_media: a library id, "TTS|VOICE|text", or nothing.
RtMedia = Annotated[LibraryMedia | NoMedia | TtsMedia, PlainValidator(_media)]
#: A boolean in any of its legacy spellings.
RtBool = Annotated[bool, BeforeValidator(_flag)]


def media_fields(model: type[Params]) -> tuple[str, ...]:
    """Name the fields of a params model that hold rt_media."""
    return tuple(
        name
        for name, info in model.model_fields.items()
        if set(get_args(info.annotation)) == {LibraryMedia, NoMedia, TtsMedia}
    )


__all__ = ["Params", "RtBool", "RtMedia", "media_fields"]
