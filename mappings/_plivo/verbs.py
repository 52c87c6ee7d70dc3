"""The Plivo verbs a mapping may put into a document: a closed, typed vocabulary.

Every verb is a frozen value named after its XML element; attribute names are Plivo's in snake case.
URLs of our own are symbolic (`Next`, `Notice`, `Sounds`, `Asset` …): the shell gives them an address.
Source of every attribute, range and default: the Plivo XML reference.
"""

from __future__ import annotations

from dataclasses import field
from hashlib import sha256
from typing import Literal

from mappings._kernel.values import value_class

#: `break` is where a call is transferred to, to end its command (calls.realtime_break).
NextKind = Literal["next", "digits", "speech", "recording", "dial", "conference", "break"]
NoticeKind = Literal["recording", "call_recording", "transcript", "dial", "room", "room_autoleave"]
AssetName = Literal["silence", "music"]


@value_class
class Next:
    """The URL that continues the command: one per document, told apart by what came back."""

    kind: NextKind


@value_class
class Notice:
    """A background URL that only reports; Plivo ignores what it answers."""

    kind: NoticeKind


@value_class
class Asset:
    """Audio that the bridge ships: 0.2 s of silence, or music for a caller on hold."""

    name: AssetName


@value_class
class HostedAudio:
    """A WAV file of the app's, hosted under an unguessable name; `digest` stands for the content."""

    content: bytes = field(repr=False, compare=False)
    digest: str = ""

    @classmethod
    def of(cls, content: bytes) -> HostedAudio:
        """Make the value from the bytes of a WAV file."""
        return cls(content, sha256(content).hexdigest())


@value_class
class HostedRecording:
    """A recording of this app, by the name the `record` command returned."""

    name: str


AudioUrl = str | Asset | HostedAudio | HostedRecording


@value_class
class Speak:
    """Say a text: 1 to 3000 characters, `loop` 0 = for ever."""

    text: str
    voice: str
    language: str
    loop: int = 1


@value_class
class Play:
    """Play an MP3 or WAV file; `loop` 0 = for ever. Plivo reports neither end nor failure."""

    url: AudioUrl
    loop: int = 1


Sound = Speak | Play


@value_class
class Wait:
    """Wait `length` s; with `silence` it ends early after `min_silence` ms without sound."""

    length: int
    silence: bool = False
    min_silence: int | None = None


@value_class
class Sounds:
    """An XML document of sounds (waitSound, enterSound, confirmSound, dialMusic …), hosted by us."""

    verbs: tuple[Speak | Play | Wait, ...]


@value_class
class GetDigits:
    """One attempt to collect digits; `timeout` and `digit_timeout` in s, both at least 1."""

    prompts: tuple[Sound, ...]
    timeout: int
    digit_timeout: int
    num_digits: int
    finish_on_key: str = "#"
    log: bool = True


@value_class
class GetInput:
    """Listen for speech while the prompts play; `execution_timeout` 5 to 60 s."""

    prompts: tuple[Sound, ...]
    execution_timeout: int
    language: str


@value_class
class Record:
    """Record the caller; `max_length` at least 2 s, `timeout` s of silence.

    With `record_session` the whole call is recorded in the background and the document is
    left at once (the action is fetched at the start).
    """

    max_length: int
    timeout: int | None = None
    finish_on_key: str | None = None
    play_beep: bool | None = None
    record_session: bool = False
    stereo: bool = True
    transcribe: bool = False


@value_class
class Dial:
    """Ring one number and bridge it; `timeout` is the ring time in s."""

    number: str
    timeout: int
    caller_id: str | None
    confirm_sound: Sounds | None = None
    dial_music: Sounds | Literal["real"] = "real"
    time_limit: int = 14_400


@value_class
class Conference:
    """Join a room; leaves on star; `time_limit` in s, `max_members` 1 to 20.

    `leave_when_alone` is no attribute of Plivo's: it chooses the notice that reports entering and
    leaving, so that the bridge knows which members it has to send out.
    """

    room: str
    enter_sound: Sounds | None = None
    exit_sound: Sounds | None = None
    wait_sound: Sounds | None = None
    stay_alone: bool = True
    max_members: int = 20
    time_limit: int = 86_400
    leave_when_alone: bool = False


@value_class
class DTMF:
    """Send tones, waiting until the last is sent; `w` is a pause of 0.5 s, `W` of 1 s."""

    digits: str


@value_class
class Hangup:
    """End the call; `reason` only matters while the call is unanswered."""

    reason: Literal["rejected", "busy"] | None = None


@value_class
class Redirect:
    """Fetch the next document from `url`: a continuation of ours or an absolute URL."""

    url: Next | str


Verb = (
    Speak
    | Play
    | Wait
    | GetDigits
    | GetInput
    | Record
    | Dial
    | Conference
    | DTMF
    | Hangup
    | Redirect
)

#: Verbs that leave an inbound call ringing; in Plivo's published framework everything else answers it.
UNANSWERING: tuple[type, ...] = (Wait, Hangup, Redirect, Dial)

__all__ = [
    "DTMF",
    "UNANSWERING",
    "Asset",
    "AssetName",
    "AudioUrl",
    "Conference",
    "Dial",
    "GetDigits",
    "GetInput",
    "Hangup",
    "HostedAudio",
    "HostedRecording",
    "Next",
    "NextKind",
    "Notice",
    "NoticeKind",
    "Play",
    "Record",
    "Redirect",
    "Sound",
    "Sounds",
    "Speak",
    "Verb",
    "Wait",
]
