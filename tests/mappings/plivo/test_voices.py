from __future__ import annotations

import re
import unicodedata

import pytest

from mappings._plivo.voices import (
    PLIVO_VOICES,
    RT_VOICES,
    PlivoVoice,
    VoiceMatch,
    parse_voice,
    recognised_language,
    resolve_voice,
)

MEN = re.compile(
    r"MAN|Polly\.(Matthew|Justin|Joey|Brian|Russell|Geraint|Mathieu|Hans|Enrique|Miguel|Giorgio"
    r"|Ricardo|Cristiano|Ruben|Mads|Karl|Jacek|Jan|Maxim|Takumi)"
)


@pytest.mark.parametrize(
    ("name", "voice", "language"),
    [
        ("TTS_EN-GB_SERENA", "WOMAN", "en-GB"),
        ("TTS_EN-GB_DANIEL", "MAN", "en-GB"),
        ("TTS_FR-FR_AUDREY", "WOMAN", "fr-FR"),
        ("NUANCE_FR_AUDREY", "WOMAN", "fr-FR"),
        ("NUANCE_FR_VIRGINIE", "Polly.Lea", "fr-FR"),
        ("NUANCE_FR_THOMAS", "MAN", "fr-FR"),
        ("NUANCE_FR_SEBASTIEN", "Polly.Mathieu", "fr-FR"),
        ("tts_en-gb_serena", "WOMAN", "en-GB"),
        (" TTS-FR_FR-AUDREY ", "WOMAN", "fr-FR"),
        ("TTS_RU-RU_YURI", "Polly.Maxim", "ru-RU"),
        ("TTS_ES-MX_PAULINA", "Polly.Mia", "es-MX"),
    ],
)
def test_documented_voices_keep_their_language_and_gender(
    name: str, voice: str, language: str
) -> None:
    """A voice of the Real-Time documentation becomes a like voice, without a warning."""
    assert VoiceMatch(PlivoVoice(voice, language), exact=True, reason="") == resolve_voice(name)


def test_every_known_voice_becomes_a_listed_one_of_the_language_it_names() -> None:
    """The table can never produce a document Plivo refuses, nor another language."""
    for name, voice in RT_VOICES.items():
        assert voice in PLIVO_VOICES, name
        family, language, _ = name.split("_")
        prefix = voice.language.upper() if family == "TTS" else voice.language[:2].upper()
        assert language == prefix, name


def test_known_men_become_men_and_known_women_women() -> None:
    """Gender survives wherever the table knows the voice."""
    men = {name.split("_")[2] for name, voice in RT_VOICES.items() if MEN.fullmatch(voice.voice)}
    assert (
        "DANIEL EVAN FELIPE JOAQUIM JORGE KRZYSZTOF LEE LUCA MAGNUS MARKUS NATHAN OLIVER OTOYA "
        "SEBASTIEN THOMAS TOM XANDER YANNICK YURI"
    ) == " ".join(sorted(men))


@pytest.mark.parametrize(
    ("name", "voice"),
    [
        ("TTS_FR-BE_NOBODY", "WOMAN/fr-FR"),
        ("NUANCE_FR_NOBODY", "WOMAN/fr-FR"),
        ("TTS_FR-CA_NICOLAS", "WOMAN/fr-CA"),
        ("NUANCE_EN_NOBODY", "WOMAN/en-US"),
        ("TTS_EN-IE_MOIRA", "WOMAN/en-GB"),
        ("TTS_ES-AR_DIEGO", "WOMAN/es-US"),
        ("TTS_PT-PT_NOBODY", "Polly.Ines/pt-PT"),
        ("TTS_ZH-CN_TING", "Polly.Zhiyu/cmn-CN"),
        ("TTS_NO-NO_NOBODY", "Polly.Liv/nb-NO"),
        ("tts-de_at-nobody", "WOMAN/de-DE"),
        ("FR_NOBODY", "WOMAN/fr-FR"),
    ],
)
def test_an_unknown_voice_speaks_the_language_it_names(name: str, voice: str) -> None:
    """An unknown voice keeps its language, and its region where Plivo has it, with a warning."""
    match = resolve_voice(name)
    assert voice == str(match.voice)
    assert not match.exact
    assert f"The voice {name!r} is not known; {voice} speaks its language." == match.reason


@pytest.mark.parametrize("name", ["", "ALICE", "TTS_XX-YY_NOBODY", "TTS", "_", "é🙂", "TTS__"])
def test_a_voice_without_language_becomes_the_default(name: str) -> None:
    """A voice that names nothing Plivo speaks gets the configured default, with a warning."""
    match = resolve_voice(name, default="it-IT")
    assert PlivoVoice("WOMAN", "it-IT") == match.voice
    assert not match.exact
    assert match.reason.endswith("names no language Plivo speaks; the default WOMAN/it-IT is used.")


def test_a_long_name_is_cut_in_the_warning() -> None:
    """A whole text sent as a voice by mistake does not land in the log."""
    assert len(resolve_voice("my secret " * 100).reason) < 140


def test_overrides_win_over_the_table_whatever_their_case() -> None:
    """A configured voice replaces the table's, and is exact."""
    overrides = {"tts_fr-fr_audrey": "Polly.Lea", "NUANCE-FR-THOMAS": "man/FR-fr", "BOSS": "en-GB"}
    assert [
        VoiceMatch(PlivoVoice("Polly.Lea", "fr-FR"), exact=True),
        VoiceMatch(PlivoVoice("MAN", "fr-FR"), exact=True),
        VoiceMatch(PlivoVoice("WOMAN", "en-GB"), exact=True),
    ] == [
        resolve_voice(name, overrides) for name in ("TTS_FR-FR_AUDREY", "NUANCE_FR_THOMAS", "boss")
    ]


def test_an_override_plivo_does_not_list_is_passed_over() -> None:
    """A bad setting that slipped in costs the override, not the call."""
    overrides = {"TTS_EN-GB_SERENA": "Polly.Nobody"}
    assert PlivoVoice("WOMAN", "en-GB") == resolve_voice("TTS_EN-GB_SERENA", overrides).voice
    assert PlivoVoice("WOMAN", "en-US") == resolve_voice("X", {}, default="nonsense").voice


def test_an_app_may_name_a_plivo_voice() -> None:
    """A voice of Plivo's own list is taken as it is."""
    assert VoiceMatch(PlivoVoice("Polly.Amy", "en-GB"), exact=True) == resolve_voice("polly.amy")
    assert VoiceMatch(PlivoVoice("MAN", "it-IT"), exact=True) == resolve_voice("MAN/it-IT")


@pytest.mark.parametrize(
    "spec",
    [
        "Polly.Vitória",
        unicodedata.normalize("NFD", "Polly.Vitória"),
        "polly.vitoria",
        "POLLY.VITÓRIA/pt-br",
    ],
)
def test_an_accented_voice_is_found_however_it_is_written(spec: str) -> None:
    """Case, accents and their encoding do not matter; the spelling Plivo lists is what is sent."""
    expected = PlivoVoice("Polly.Vit\u00f3ria", "pt-BR")
    assert expected == parse_voice(spec)


@pytest.mark.parametrize(
    ("spec", "voice"),
    [
        ("WOMAN", "WOMAN/en-US"),
        ("MAN", "MAN/en-US"),
        ("MAN/pt-PT", "MAN/pt-PT"),
        ("Polly.Aditi", "Polly.Aditi/en-IN"),
        ("Polly.Aditi/hi-IN", "Polly.Aditi/hi-IN"),
        ("en-GB-WLS", "Polly.Geraint/en-GB-WLS"),
        (" fr-fr ", "WOMAN/fr-FR"),
    ],
)
def test_settings_name_voices_in_three_forms(spec: str, voice: str) -> None:
    """A voice, a voice with its language, or a language alone."""
    assert voice == str(parse_voice(spec))


@pytest.mark.parametrize(
    "spec", ["", "fr", "fr-BE", "WOMAN/pt-PT", "MAN/fr-CA", "Polly.Lea/en-US", "Lea", "TTS_FR-FR_X"]
)
def test_what_plivo_does_not_list_is_no_voice(spec: str) -> None:
    """A setting must say exactly what Plivo lists; nothing is guessed at start."""
    assert parse_voice(spec) is None


@pytest.mark.parametrize(
    ("spoken", "recognised"),
    [
        ("fr-FR", "fr-FR"),
        ("pt-br", "pt-BR"),
        ("en-GB-WLS", "en-GB"),
        ("cmn-CN", "zh"),
        ("fr-BE", "fr-FR"),
        ("da-DK", "en-US"),
        ("", "en-US"),
    ],
)
def test_speech_is_recognised_in_the_nearest_listed_language(spoken: str, recognised: str) -> None:
    """GetInput knows other languages than Speak; the primary language decides, then en-US."""
    assert recognised == recognised_language(spoken)
