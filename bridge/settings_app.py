"""The settings of one RT app, as one frozen model.

The descriptions are the source of docs/settings.md. Read it through `bridge.settings`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from bridge.settings_types import E164, Login, LongSecret, NumberList, PlivoName, WebUrl, Word

__all__ = ["AppSettings", "SettingsModel"]


class SettingsModel(BaseModel):
    """What all models of settings share: frozen, and unknown names are errors."""

    # hide_input_in_errors: a validation error must never print a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AppSettings(SettingsModel):
    """One RT app: where it answers and how the bridge behaves for its calls."""

    url: Annotated[WebUrl, Field(description="URL of the RT app; every RT.Request is posted to it")]
    login: Annotated[
        Login | None, Field(description="HTTP Basic login the app expects; needs a password")
    ] = None
    password: Annotated[SecretStr | None, Field(description="HTTP Basic password")] = None
    on_failure: Annotated[
        Literal["hangup", "say", "fallback_url"],
        Field(
            description="what the caller gets when the app is slow, down or answers nonsense: "
            "`hangup`, `say` (failure_message, then hang up) or `fallback_url` (the call continues "
            "with the XML found there)"
        ),
    ] = "hangup"
    failure_message: Annotated[
        Word, Field(description="text spoken by `on_failure = say`", max_length=3000)
    ] = "We are sorry, this service is not available at the moment. Please call again later."
    failure_voice: Annotated[
        Word | None,
        Field(
            description="voice of failure_message, busy_message and hold_message; default_voice "
            "when not set"
        ),
    ] = None
    busy_message: Annotated[
        Word,
        Field(
            description="text spoken before a call is hung up because the app has enough to do; a "
            "call that is not answered yet is turned away as busy",
            max_length=3000,
        ),
    ] = "All lines are busy at the moment. Please call again later."
    hold_message: Annotated[
        Word,
        Field(
            description="text spoken, again and again, while the store is out of reach for long",
            max_length=3000,
        ),
    ] = "One moment, please."
    fallback_url: Annotated[
        WebUrl | None, Field(description="Plivo XML used by `on_failure = fallback_url`")
    ] = None
    max_questions: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="requests this app gets at once, from all workers together; others wait for "
            "half of app_timeout_s at most, and then their callers hear busy_message",
        ),
    ] = 200
    breaker_failures: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="after so many requests in a row without any answer the app is not asked for "
            "breaker_pause_s, and callers get on_failure at once; 0 = it is always asked",
        ),
    ] = 10
    breaker_pause_s: Annotated[
        float,
        Field(
            ge=0.1,
            le=3600,
            allow_inf_nan=False,
            description="how long an app without an answer is left alone; then a single request "
            "finds out whether it answers again",
        ),
    ] = 5.0
    partial_read: Annotated[
        Literal["keys", "timeout", "exact"],
        Field(
            description="`read`, when keys come and then silence without #: `keys` returns them, "
            "`timeout` counts fewer than max_digits as TIMEOUT, `exact` tells them apart and costs "
            "one more digit timeout after #"
        ),
    ] = "keys"
    blocked_caller_id: Annotated[
        E164 | None,
        Field(
            description="number shown by `dialout` with cli BLOCKED, in E.164 form; when not set, "
            "the number of the call that belongs to the account"
        ),
    ] = None
    after_crash: Annotated[
        Literal["ask_again", "fail"],
        Field(
            description="after a restart between question and answer: `ask_again` repeats the "
            "RT.Request with the same command_id, `fail` treats it as an app failure"
        ),
    ] = "ask_again"
    send_incoming_call: Annotated[
        bool, Field(description="send a first RT.Request with call_status INCOMING_CALL")
    ] = False
    dial_music_url: Annotated[
        WebUrl | None,
        Field(description="audio file for `dialout` with ringtone MUSIC; own music when not set"),
    ] = None
    hangup_scope: Annotated[
        Literal["app", "account"],
        Field(
            description="calls that `hangup_callid` may end: `app` = those of this app, `account` = "
            "those of every app of this bridge"
        ),
    ] = "app"
    share_rooms: Annotated[
        bool,
        Field(description="let conference ids mean the same room as in other apps that share"),
    ] = False
    numbers: Annotated[
        NumberList,
        Field(
            description="Plivo numbers that `rt-bridge provision` gives to this app, in E.164 form; "
            "several are separated by commas, or a list in TOML"
        ),
    ] = ()
    plivo_application: Annotated[
        PlivoName | None,
        Field(
            description="name of the application at Plivo that `rt-bridge provision` creates or "
            "changes; rt-bridge- and the hash when not set"
        ),
    ] = None

    transcript_url: Annotated[
        WebUrl | None,
        Field(
            description="URL that the transcript of every recording of this app is posted to, as "
            "JSON"
        ),
    ] = None
    transcript_secret: Annotated[
        LongSecret | None,
        Field(description="key that signs what is posted to transcript_url"),
    ] = None

    @model_validator(mode="after")
    def _fits_together(self) -> AppSettings:
        if self.on_failure == "fallback_url" and self.fallback_url is None:
            raise ValueError("must have a fallback_url, because on_failure is fallback_url")
        if (self.login is None) != (self.password is None):
            raise ValueError("must have both login and password, or neither")
        if self.transcript_secret is not None and self.transcript_url is None:
            raise ValueError("must have a transcript_url, because it has a transcript_secret")
        return self
