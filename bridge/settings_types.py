"""Types of single settings: what text is accepted and what it becomes.

Each check raises ValueError with a phrase that starts with "must", so that the loader can write
one sentence from the variable's name, the phrase and the value.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints

from bridge.store._redis_url import SCHEMES, RedisUrl
from mappings._plivo.voices import parse_voice

__all__ = [
    "E164",
    "AppHash",
    "BaseUrl",
    "Directory",
    "Listen",
    "ListenAddress",
    "Login",
    "LongSecret",
    "MediaId",
    "MediaTemplate",
    "NumberList",
    "PlivoName",
    "SecretList",
    "StoreUrl",
    "Voice",
    "WebUrl",
    "Word",
    "is_loopback_host",
    "sqlite_path",
]

_APP_HASH = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLIVO_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_HIGHEST_PORT = 65535
#: A secret that opens something by itself cannot be guessed from here on, in characters.
_LONG_SECRET = 16
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]")


def is_loopback_host(host: str) -> bool:
    """Tell whether only this machine can reach `host` (a name or an IP address)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Listen:
    """A listening address; port 0 asks the system for a free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read `host:port` or `[v6]:port`; ValueError when it is neither."""
        host, colon, digits = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        name = host[1:-1] if bracketed else host
        # A bare v6 address would make the last group look like a port.
        sound = _is_ip_v6(name) if bracketed else _HOST_NAME.fullmatch(name) is not None
        port = int(digits) if digits.isascii() and digits.isdigit() else -1
        if not colon or not sound or not 0 <= port <= _HIGHEST_PORT:
            raise ValueError(
                "must be host:port with a port from 0 to 65535, for example 127.0.0.1:8080, "
                "0.0.0.0:8080 for every interface, or [::1]:8080"
            )
        return cls(name, port)

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can connect."""
        return is_loopback_host(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _is_ip_v6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _listen(value: Any) -> Any:
    if isinstance(value, str):
        return Listen.parse(value)
    if isinstance(value, Listen):
        return value
    raise ValueError("must be host:port in quotes, for example 127.0.0.1:8080")


def _split_http(text: str, what: str) -> SplitResult:
    message = f"must be {what}, starting with http:// or https://"
    if _NOT_IN_URLS.search(text):
        raise ValueError(f"{message}, without spaces or other characters that a URL cannot hold")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(message) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(message)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{message}, without a login or password in it")
    return parts


def _base_url(text: str) -> str:
    parts = _split_http(text.strip(), "an absolute URL")
    if "?" in text or "#" in text:
        raise ValueError("must be an absolute URL without a query (?) and without a fragment (#)")
    return parts.geturl().rstrip("/")


def _web_url(text: str) -> str:
    _split_http(text.strip(), "an absolute URL")
    if "#" in text:
        raise ValueError("must be an absolute URL without a fragment (#)")
    return text.strip()


def _media_template(text: str) -> str:
    if text.count("{id}") != 1:
        raise ValueError("must be an absolute URL that contains {id} once")
    _web_url(text.replace("{id}", "0"))
    return text.strip()


def _media_id(text: str) -> str:
    if not _APP_HASH.fullmatch(text) or not text.strip("0"):
        raise ValueError(
            "must be a media id of 1 to 64 letters, digits, _ or -, and not 0, which means no media"
        )
    return text


def _app_hash(text: str) -> str:
    if not _APP_HASH.fullmatch(text):
        raise ValueError("must be an app hash of 1 to 64 letters, digits, _ or -")
    return text


def _e164(text: str) -> str:
    if not _E164.fullmatch(text):
        raise ValueError("must be a number in E.164 form, for example +33123456789")
    return text


def _numbers(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part for part in re.split(r"[,\s]+", value) if part)
    if isinstance(value, list | tuple):
        return tuple(value)
    raise ValueError("must be text: numbers in E.164 form, separated by commas")


def _once(numbers: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(numbers)) < len(numbers):
        raise ValueError("must name each number once")
    return numbers


def _plivo_name(text: str) -> str:
    if not _PLIVO_NAME.fullmatch(text):
        raise ValueError("must be a name of 1 to 60 letters, digits, _ or -, as Plivo takes it")
    return text


def _login(text: str) -> str:
    # HTTP Basic ends the login at the first colon (RFC 7617, section 2).
    if not text or ":" in text or not text.isprintable():
        raise ValueError("must be a login without a colon or control characters")
    return text


def _word(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _voice(text: str) -> str:
    if parse_voice(text) is None:
        raise ValueError(
            "must be a voice or a language Plivo lists, for example WOMAN/fr-FR, Polly.Lea or fr-FR"
        )
    return text.strip()


def _directory(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("must be a directory that exists and can be read")
    return path


def _secrets(value: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise ValueError("must be text: one secret, or several separated by commas")  # noqa: TRY004 -- pydantic collects ValueError only
    parts = re.split(r"[,\s]+", value) if isinstance(value, str) else list(value)
    found = tuple(part for part in parts if part != "")
    if not found:
        raise ValueError("must hold at least one secret; several are separated by commas")
    return found


def _long_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _LONG_SECRET:
        raise ValueError(f"must have {_LONG_SECRET} characters or more, so that nobody guesses it")
    return secret


def sqlite_path(url: str) -> Path | None:
    """Return the file of a `sqlite:///…` store, or None when the store is no file."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def _store(text: str) -> str:
    url = text.strip()
    if url.partition(":")[0] in SCHEMES:
        RedisUrl.parse(url)
        return url
    file = url.removeprefix("sqlite:///")
    if url != "memory:" and (file == url or not file.strip("/") or "?" in file or "#" in file):
        raise ValueError(
            "must be sqlite:///file (relative), sqlite:////directory/file (absolute), "
            "redis://host:6379/0 or memory:"
        )
    return url


ListenAddress = Annotated[Listen, BeforeValidator(_listen)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
MediaTemplate = Annotated[str, AfterValidator(_media_template)]
MediaId = Annotated[str, AfterValidator(_media_id)]
AppHash = Annotated[str, AfterValidator(_app_hash)]
E164 = Annotated[str, AfterValidator(_e164)]
NumberList = Annotated[tuple[E164, ...], BeforeValidator(_numbers), AfterValidator(_once)]
PlivoName = Annotated[str, AfterValidator(_plivo_name)]
Login = Annotated[str, StringConstraints(max_length=256), AfterValidator(_login)]
Word = Annotated[str, AfterValidator(_word)]
Voice = Annotated[str, AfterValidator(_voice)]
Directory = Annotated[Path, AfterValidator(_directory)]
SecretList = Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets)]
LongSecret = Annotated[SecretStr, AfterValidator(_long_secret)]
StoreUrl = Annotated[str, AfterValidator(_store)]
