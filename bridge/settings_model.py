"""The settings as one frozen model: names, defaults, ranges and meanings.

The descriptions are the source of docs/settings.md. Read it through `bridge.settings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bridge.settings_app import AppSettings, SettingsModel
from bridge.settings_conflicts import Conflict, conflicts
from bridge.settings_types import (
    AppHash,
    BaseUrl,
    Directory,
    Listen,
    ListenAddress,
    Login,
    LongSecret,
    MediaId,
    MediaTemplate,
    SecretList,
    StoreUrl,
    Voice,
    WebUrl,
    Word,
    sqlite_path,
)

__all__ = [
    "AppSettings",
    "Conflict",
    "MediaSettings",
    "Settings",
]

_DAY_S: Final = 86_400.0
_YEAR_S: Final = 366 * _DAY_S
_MIB: Final = 1_048_576


class MediaSettings(SettingsModel):
    """Where the sounds of the legacy media library are."""

    library: dict[MediaId, WebUrl] = Field(
        default_factory=dict, description="URL of the audio file of single media ids"
    )
    url_template: Annotated[
        MediaTemplate | None,
        Field(description="URL of every other media id; {id} stands for the id"),
    ] = None
    directory: Annotated[
        Directory | None,
        Field(description="directory with files named <id>.mp3 or <id>.wav, hosted by the bridge"),
    ] = None


class Settings(SettingsModel):
    """Everything that can be set; names end in their unit, a size in bytes or a time in seconds."""

    public_url: Annotated[
        BaseUrl,
        Field(
            description="base URL under which Plivo reaches the bridge, a path prefix included; "
            "signatures are verified against it"
        ),
    ]
    listen: Annotated[
        ListenAddress,
        Field(description="listener for Plivo: webhooks and media; port 0 takes a free one"),
    ] = Listen("127.0.0.1", 8080)
    admin_listen: Annotated[
        ListenAddress,
        Field(description="listener for /healthz, /readyz and /metrics; keep it private"),
    ] = Listen("127.0.0.1", 8081)
    admin_token: Annotated[
        LongSecret | None,
        Field(
            description="token that `rt-bridge calls`, `hangup` and `break` show to the admin "
            "listener; without it /admin/ is off"
        ),
    ] = None

    workers: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="processes that share the work on this machine, as `rt-bridge serve "
            "--workers` (docs/deploy.md); more than one needs a `redis://` store",
        ),
    ] = 1

    plivo_auth_id: Annotated[
        str | None,
        Field(
            description="Auth ID of the Plivo account; required unless signatures and REST are off",
            pattern=r"^[A-Za-z0-9]{1,64}$",
        ),
    ] = None
    plivo_auth_tokens: Annotated[
        SecretList,
        Field(
            description="Auth Token; several separated by commas are accepted while rotating, the "
            "first is used for REST"
        ),
    ] = ()
    plivo_api_url: Annotated[
        BaseUrl, Field(description="base of Plivo's REST API; another one for tests")
    ] = "https://api.plivo.com"
    plivo_rest: Annotated[
        bool, Field(description="`false`: no REST calls, XML fallbacks are used instead")
    ] = True
    verify_signatures: Annotated[
        bool, Field(description="`false`: anybody can pose as Plivo; for tests only")
    ] = True

    store: Annotated[
        StoreUrl,
        Field(
            description="`sqlite:///file`, `sqlite:////directory/file`, `redis://host:6379/0` for "
            "several replicas (docs/guarantees.md), or `memory:` for tests"
        ),
    ] = "sqlite:///bridge.db"
    store_durability: Annotated[
        Literal["normal", "full"],
        Field(
            description="`normal` survives a killed process, `full` also a power cut, at one disk "
            "flush per group of commits"
        ),
    ] = "normal"

    store_key: Annotated[
        SecretStr | None,
        Field(
            description="key that encrypts the passwords of apps made through JSON-RPC; when not "
            "set, one that is in the store itself"
        ),
    ] = None

    rpc_login: Annotated[
        Login | None,
        Field(description="JSON-RPC login; without credentials /json-rpc/v1.1/ is off"),
    ] = None
    rpc_password: Annotated[SecretStr | None, Field(description="JSON-RPC password")] = None
    rpc_api_keys: Annotated[
        SecretList, Field(description="JSON-RPC API keys, separated by commas")
    ] = ()
    plivo_calls_per_second: Annotated[
        float, Field(ge=0.1, le=1000, description="outbound calls per second that Plivo grants")
    ] = 2.0
    outbound_queue_limit: Annotated[
        int, Field(ge=1, le=100_000, description="outbound calls that may wait to be dialled")
    ] = 1000
    outbound_queue_for_s: Annotated[
        float,
        Field(ge=1, le=_DAY_S, description="an outbound call that waited longer is not dialled"),
    ] = 3600.0

    apps: dict[AppHash, AppSettings] = Field(
        default_factory=dict, description="the RT apps by their hash"
    )
    media: MediaSettings = Field(
        default_factory=MediaSettings, description="sounds of the legacy media library"
    )
    voices: dict[Word, Voice] = Field(
        default_factory=dict, description="Plivo voice for a single RT voice"
    )
    default_voice: Annotated[
        Voice, Field(description="language or voice used when an RT voice names neither")
    ] = "en-US"

    webhook_budget_s: Annotated[
        float,
        Field(
            ge=1,
            le=14,
            allow_inf_nan=False,
            description="time for one webhook; after it Plivo is told to ask again; "
            "more than app_timeout_s",
        ),
    ] = 8.0
    app_timeout_s: Annotated[
        float,
        Field(
            ge=0.1,
            le=5,
            allow_inf_nan=False,
            description="time the app has to answer; RT grants 5 seconds",
        ),
    ] = 5.0
    max_app_reply_bytes: Annotated[
        int, Field(ge=1024, le=64 * _MIB, description="largest reply of an app")
    ] = _MIB
    max_webhook_bytes: Annotated[
        int, Field(ge=16_384, le=64 * _MIB, description="largest body of a webhook")
    ] = 262_144
    max_connections: Annotated[
        int,
        Field(
            ge=10,
            le=1_000_000,
            description="connections to listen at once, of all workers together, and half of the "
            "files a process may open at most; a newcomer then gets the place of one that sends no request",
        ),
    ] = 10_000
    recording_grace_s: Annotated[
        float,
        Field(
            ge=0,
            le=60,
            allow_inf_nan=False,
            description="how long the final HANGUP request waits for the callback of a recording "
            "that was running",
        ),
    ] = 10.0
    hangup_retry_for_s: Annotated[
        float,
        Field(
            ge=0,
            le=_YEAR_S,
            allow_inf_nan=False,
            description="how long the final HANGUP request is repeated while the app is down, and "
            "the post of a transcript",
        ),
    ] = _DAY_S
    call_retention_s: Annotated[
        float,
        Field(
            ge=60,
            le=10 * _YEAR_S,
            allow_inf_nan=False,
            description="how long ended calls are kept; "
            "more than hangup_retry_for_s plus recording_grace_s",
        ),
    ] = 7 * _DAY_S
    cdr_retention_s: Annotated[
        float,
        Field(
            ge=0,
            le=10 * _YEAR_S,
            allow_inf_nan=False,
            description="how long call records are kept (`rt-bridge cdr`); `0`: none are written",
        ),
    ] = 90 * _DAY_S
    cdr_redact: Annotated[
        bool, Field(description="`true`: call records hold masked numbers only")
    ] = False
    media_ttl_s: Annotated[
        float,
        Field(
            ge=60,
            le=10 * _YEAR_S,
            allow_inf_nan=False,
            description="how long sounds made for one call are hosted",
        ),
    ] = _DAY_S
    recording_ttl_s: Annotated[
        float,
        Field(
            ge=60,
            le=10 * _YEAR_S,
            allow_inf_nan=False,
            description="how long the app can use the name of a recording, and how long its "
            "transcript is kept",
        ),
    ] = 7 * _DAY_S
    stale_call_after_s: Annotated[
        float,
        Field(
            ge=60,
            le=2 * _DAY_S,
            allow_inf_nan=False,
            description="a call without any webhook for so long is looked up at Plivo, and ended "
            "if it is gone; the default is Plivo's call limit of 4 hours and a quarter",
        ),
    ] = 15_300.0
    drain_s: Annotated[
        float,
        Field(
            ge=0,
            le=_DAY_S,
            allow_inf_nan=False,
            description="how long the bridge answers on after SIGTERM, while load balancers notice "
            "that it is not ready; where no other replica is, until no call is live",
        ),
    ] = 5.0
    shutdown_grace_s: Annotated[
        float,
        Field(
            ge=0,
            le=300,
            allow_inf_nan=False,
            description="time to finish what is in flight after that",
        ),
    ] = 10.0

    test_clock: Annotated[
        ListenAddress | None,
        Field(
            description="address of a simulation that owns the time of the bridge; for tests, and "
            "only while listen is on loopback"
        ),
    ] = None

    log_format: Annotated[
        Literal["auto", "json", "console"],
        Field(description="`auto`: console when the output is a terminal, JSON otherwise"),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="lowest level logged")
    ] = "info"

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Settings:
        found = conflicts(self)
        if isinstance(info.context, list):
            # The loader gathers them, so that they appear beside the faults of single values.
            info.context.extend(found)
        elif found:
            raise ValueError(" ".join(sentence for _, sentence in found))
        return self

    def each(self, total: int) -> int:
        """Give the part of one worker in what is granted to all of them, one at least."""
        return max(1, total // self.workers)

    @property
    def store_path(self) -> Path | None:
        """The SQLite file, or None when the store is none."""
        return sqlite_path(self.store)
