"""The fidelity matrix: what of each RT command is exact at Plivo, and what is not.

One module per command; a row per documented parameter and result, and per behaviour that differs.
docs/fidelity.md is written from it by `python -m bridge.fidelity_doc`.
"""

from __future__ import annotations

from typing import Final

from mappings._fidelity.conference import CONFERENCE
from mappings._fidelity.dialout import DIALOUT
from mappings._fidelity.hangup import HANGUP
from mappings._fidelity.hangup_callid import HANGUP_CALLID
from mappings._fidelity.play import PLAY
from mappings._fidelity.play_record import PLAY_RECORD
from mappings._fidelity.play_talk_detect import PLAY_TALK_DETECT
from mappings._fidelity.play_wav_data import PLAY_WAV_DATA
from mappings._fidelity.read import READ
from mappings._fidelity.record import RECORD
from mappings._fidelity.rows import LEVELS, Fidelity, Row
from mappings._fidelity.rt_media import RT_MEDIA
from mappings._fidelity.send_dtmf import SEND_DTMF
from mappings._fidelity.simple_conference import SIMPLE_CONFERENCE
from mappings._fidelity.start_call_recording import START_CALL_RECORDING
from mappings._fidelity.stop_call_recording import STOP_CALL_RECORDING
from mappings._fidelity.wait import WAIT
from mappings._fidelity.wait_for_silence import WAIT_FOR_SILENCE

#: In the order of the Real-Time page, whose shared format of sounds comes first.
MATRIX: Final[tuple[Fidelity, ...]] = (
    RT_MEDIA,
    CONFERENCE,
    DIALOUT,
    HANGUP,
    HANGUP_CALLID,
    PLAY,
    PLAY_RECORD,
    PLAY_TALK_DETECT,
    PLAY_WAV_DATA,
    READ,
    RECORD,
    SEND_DTMF,
    SIMPLE_CONFERENCE,
    START_CALL_RECORDING,
    STOP_CALL_RECORDING,
    WAIT,
    WAIT_FOR_SILENCE,
)

__all__ = ["LEVELS", "MATRIX", "Fidelity", "Row"]
