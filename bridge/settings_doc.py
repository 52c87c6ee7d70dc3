"""Write docs/settings.md from the settings model: `python -m bridge.settings_doc`.

With `--check` nothing is written; exit status 1 says that the page is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

from bridge.settings import AppSettings, MediaSettings, Settings, layout
from bridge.settings_sources import Place, variable

__all__ = ["main", "page"]

_PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

_INTRODUCTION: Final = """\
# Settings

<!-- Written by `python -m bridge.settings_doc` from bridge/settings_model.py; edit it there. -->

A value comes from the environment, else from the TOML file named by `BRIDGE_CONFIG`, else it is the default.
In the TOML file a name is the variable without `BRIDGE_`, in lower case: `BRIDGE_LISTEN` is `listen`.
An empty variable counts as not set.
Files and directories are relative to the working directory.

Unknown names are errors, in the file and in the environment, with a hint at the nearest name.
The bridge reports every fault of its settings at once, one sentence each, and exits with status 2.
`rt-bridge config` shows each value and where it came from, secrets hidden.

Every secret (marked *secret*) can also be the content of a file: `BRIDGE_PLIVO_AUTH_TOKEN_FILE=/run/secrets/token`, or `plivo_auth_token_file` in TOML.
Line ends at the end of that file are dropped; a value and a file for the same secret are an error.

Variables that Kubernetes adds for a Service whose name starts with `bridge` (`BRIDGE_SERVICE_HOST` and the like) are ignored.
"""

_APPS: Final = """\
## One app: `[apps.<hash>]`

At least one app is needed.
Its hash is 1 to 64 letters, digits, `_` or `-`; it is part of the URLs typed into Plivo (`/plivo/<hash>/answer`) and the field `app` of every RT.Request.
The variables describe one app, the one named by `BRIDGE_APP_HASH` (default `DEFAULT`); they win over the table of the same hash.
In the table, a name is what follows `BRIDGE_APP_`, in lower case: `BRIDGE_APP_ON_FAILURE` is `on_failure`.
"""

_VOICES: Final = """\
## Voices: `[voices]`

Each key is a voice of RT apps, each value the Plivo voice or language it becomes: `WOMAN/fr-FR`, `Polly.Lea`, `fr-FR`.
Voices that are not named here keep the built-in choice.
"""

_EXAMPLE: Final = """\
## A file

```toml
public_url = "https://voice.example.com"
plivo_auth_id = "MAXXXXXXXXXXXXXXXXXX"
plivo_auth_token_file = "/run/secrets/plivo_auth_token"

[apps.SHOP]
url = "http://127.0.0.1:8000/rt"
on_failure = "say"
failure_message = "Our shop cannot be reached right now."

[apps.SUPPORT]
url = "https://support.example.com/rt"
login = "bridge"
password_file = "/run/secrets/support_password"

[media]
url_template = "https://sounds.example.com/{id}.mp3"

[media.library]
12 = "https://sounds.example.com/welcome.wav"

[voices]
TTS_FR-FR_AUDREY = "Polly.Lea"
```
"""


def page() -> str:
    """Return the whole page."""
    names = layout()
    general = {key: place for key, place in names.flat.items() if len(place) == 1}
    apps = {key: place for key, place in names.flat.items() if place[0] == "app"}
    parts = [
        _INTRODUCTION,
        "## General\n",
        _table(_rows(general, Settings.model_fields, names.secrets)),
        _APPS,
        _table(_rows(apps, AppSettings.model_fields, names.secrets)),
        "## Media: `[media]`\n",
        _table(_media_rows(names.flat)),
        _VOICES,
        _EXAMPLE,
    ]
    return "\n".join(parts)


def _rows(
    keys: Mapping[str, Place], fields: Mapping[str, FieldInfo], secrets: frozenset[str]
) -> Iterator[Sequence[str]]:
    for key, place in keys.items():
        info = fields[place[-1]]
        secret = " *Secret.*" if key in secrets else ""
        yield f"`{variable(key)}`", _default(info), f"{_sentence(info)}{secret}"


def _media_rows(flat: Mapping[str, Place]) -> Iterator[Sequence[str]]:
    variables = {place[1]: variable(key) for key, place in flat.items() if place[0] == "media"}
    for name, info in MediaSettings.model_fields.items():
        given = f", `{variables[name]}`" if name in variables else ""
        key = f"[media.{name}]" if info.default_factory is dict else name
        yield f"`{key}`{given}", _default(info), _sentence(info)


def _sentence(info: FieldInfo) -> str:
    text = (info.description or "") + "."
    return text if text[0] == "`" else text[0].upper() + text[1:]


def _default(info: FieldInfo) -> str:
    value: Any = info.default
    if info.is_required():
        return "required"
    if value is None or value == () or info.default_factory is not None:
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:.12g}`" if isinstance(value, float) else f"`{value}`"


def _table(rows: Iterator[Sequence[str]]) -> str:
    lines = ["| name | default | meaning |", "|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str], target: Path = _PAGE) -> int:
    """Write the page to `target`, or compare with `--check`; return the exit status."""
    text = page()
    if "--check" in arguments:
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{target} is out of date; run python -m bridge.settings_doc\n")
        return 1
    target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":  # pragma: no cover -- its test runs it in a process of its own
    sys.exit(main(sys.argv[1:]))
