"""The voices Plivo lists, and the one that stands for a voice of the Real-Time app.

Basic voices: Plivo XML reference, Speak, "Supported voices and languages" (what a language has for
WOMAN and MAN). Polly voices: Plivo page "SSML".
The app names voices as `TTS_EN-GB_SERENA` (Real-Time page, `rt_media`) or, older, as
`NUANCE_FR_AUDREY` (enumeration of CALLR's .NET SDK); both are Nuance Vocalizer voices.

A known voice gets a Plivo voice of the same language and gender: the first of its kind the basic
voice, the next ones Polly voices, so that a dialogue of two women still has two voices.
Basic voices come first because they read plain text; a Polly voice reads SSML, and what it makes
of a stray `&` or `<` is not documented.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = [
    "PLIVO_VOICES",
    "RT_VOICES",
    "PlivoVoice",
    "VoiceMatch",
    "parse_voice",
    "recognised_language",
    "resolve_voice",
]


@dataclass(frozen=True, slots=True)
class PlivoVoice:
    """The `voice` and `language` attributes of Speak, e.g. `WOMAN`, `fr-FR`."""

    voice: str
    language: str

    def __str__(self) -> str:
        """Write the voice as settings do, e.g. `WOMAN/fr-FR` or `Polly.Lea/fr-FR`."""
        return f"{self.voice}/{self.language}"


@dataclass(frozen=True, slots=True)
class VoiceMatch:
    """The Plivo voice chosen for a voice of the app.

    `exact` is false when the app's voice was not known; `reason` is then a sentence for the log,
    otherwise empty.
    """

    voice: PlivoVoice
    exact: bool
    reason: str = ""


# Language: Plivo's women | Plivo's men. Of each, the first is what an unknown voice becomes.
_LISTED: Final = """
en-US: WOMAN Polly.Joanna Polly.Salli Polly.Kendra Polly.Kimberly Polly.Ivy
     | MAN Polly.Matthew Polly.Joey Polly.Justin
en-GB: WOMAN Polly.Amy Polly.Emma | MAN Polly.Brian
en-AU: WOMAN Polly.Nicole | MAN Polly.Russell
en-IN: Polly.Raveena Polly.Aditi |
en-GB-WLS: | Polly.Geraint
cy-GB: Polly.Gwyneth |
fr-FR: WOMAN Polly.Lea Polly.Celine | MAN Polly.Mathieu
fr-CA: WOMAN Polly.Chantal |
de-DE: WOMAN Polly.Vicki Polly.Marlene | MAN Polly.Hans
es-ES: WOMAN Polly.Conchita | MAN Polly.Enrique
es-US: WOMAN Polly.Penelope Polly.Lupe-Standard | MAN Polly.Miguel
es-MX: Polly.Mia |
it-IT: WOMAN Polly.Carla | MAN Polly.Giorgio
pt-PT: Polly.Ines | MAN Polly.Cristiano
pt-BR: WOMAN Polly.Vitória | MAN Polly.Ricardo
nl-NL: WOMAN Polly.Lotte | MAN Polly.Ruben
da-DK: WOMAN Polly.Naja | MAN Polly.Mads
sv-SE: WOMAN Polly.Astrid |
nb-NO: Polly.Liv |
is-IS: Polly.Dora | Polly.Karl
pl-PL: WOMAN Polly.Ewa Polly.Maja | MAN Polly.Jacek Polly.Jan
ro-RO: Polly.Carmen |
ru-RU: WOMAN Polly.Tatyana | Polly.Maxim
tr-TR: Polly.Filiz |
hi-IN: Polly.Aditi |
ja-JP: Polly.Mizuki | Polly.Takumi
ko-KR: Polly.Seoyeon |
cmn-CN: Polly.Zhiyu |
"""

# Nuance Vocalizer voices in the same shape: women | men.
_VOCALIZER: Final = """
en-US: SAMANTHA AVA ALLISON SUSAN ZOE | TOM EVAN NATHAN
en-GB: SERENA KATE STEPHANIE | DANIEL OLIVER
en-AU: KAREN | LEE
en-IN: VEENA SANGEETA |
fr-FR: AUDREY VIRGINIE AURELIE | THOMAS SEBASTIEN
fr-CA: AMELIE CHANTAL |
de-DE: ANNA PETRA | MARKUS YANNICK
es-ES: MONICA MARISOL | JORGE
es-MX: PAULINA ANGELICA |
it-IT: ALICE FEDERICA | LUCA
pt-PT: JOANA CATARINA | JOAQUIM
pt-BR: LUCIANA RAQUEL | FELIPE
nl-NL: CLAIRE | XANDER
da-DK: SARA | MAGNUS
sv-SE: ALVA KLARA |
nb-NO: NORA |
pl-PL: ZOSIA EWA | KRZYSZTOF
ro-RO: IOANA |
ru-RU: MILENA KATYA | YURI
tr-TR: YELDA |
hi-IN: LEKHA |
ja-JP: KYOKO | OTOYA
ko-KR: SORA |
"""

# Languages GetInput recognises (Plivo XML reference, GetInput, "language"); the first of each
# primary language stands for the regions that are not listed.
_RECOGNISED: Final = """
en-US en-GB en-AU en-CA en-IE en-IN en-PH en-SG en-ZA de-DE es-ES es-MX es-US fr-FR fr-CA
it-IT ja-JP ko-KR nl-NL pt-PT pt-BR ru-RU zh zh-HK zh-TW yue-Hant-HK af-ZA
"""
_RECOGNISED_BY_KEY: Final[dict[str, str]] = {
    key: language
    for language in reversed(re.findall(r"\S+", _RECOGNISED))
    for key in (language.lower(), language.split("-")[0])
} | {"cmn": "zh", "en-gb-wls": "en-GB"}

# The region spoken for a language that names none, or none that Plivo lists.
_HOME: Final = {"zh": "cmn-CN", "no": "nb-NO", "nn": "nb-NO", "pt": "pt-PT"}
_NEIGHBOURS: Final = {
    "en-IE": "en-GB",
    "en-NZ": "en-AU",
    "en-ZA": "en-GB",
    "es-AR": "es-US",
    "es-CL": "es-US",
    "es-CO": "es-US",
}


def _table(text: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    rows = re.findall(r"^([\w-]+):([^|]*)\|(.*)$", text, re.MULTILINE)
    return {language: (tuple(w.split()), tuple(m.split())) for language, w, m in rows}


_BY_LANGUAGE: Final = _table(_LISTED)

PLIVO_VOICES: Final[tuple[PlivoVoice, ...]] = tuple(
    PlivoVoice(name, language)
    for language, genders in _BY_LANGUAGE.items()
    for names in genders
    for name in names
)
"""Every pair of voice and language Plivo lists."""


def _languages() -> dict[str, str]:
    found: dict[str, str] = {}
    for language in _BY_LANGUAGE:
        found[language.lower()] = language
        found.setdefault(language.split("-")[0], language)
    found.update(_HOME)
    found.update((near.lower(), language) for near, language in _NEIGHBOURS.items())
    return found


_LANGUAGES: Final = _languages()


def _rt_voices() -> dict[str, PlivoVoice]:
    voices: dict[str, PlivoVoice] = {}
    for language, genders in _table(_VOCALIZER).items():
        for names, listed in zip(genders, _BY_LANGUAGE[language], strict=True):
            for position, name in enumerate(names):
                voice = PlivoVoice(listed[min(position, len(listed) - 1)], language)
                voices[f"TTS_{language.upper()}_{name}"] = voice
                voices.setdefault(f"NUANCE_{language[:2].upper()}_{name}", voice)
    return voices


RT_VOICES: Final[Mapping[str, PlivoVoice]] = MappingProxyType(_rt_voices())
"""Voice of the app, in upper case with `_` between its parts, to the Plivo voice it gets."""


def _key(text: str) -> str:
    """Fold case and accents, so that `polly.vitoria` finds `Polly.Vitória`."""
    letters = unicodedata.normalize("NFKD", text.strip()).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


_BY_NAME: Final = {_key(str(voice)): voice for voice in PLIVO_VOICES}
for _voice in PLIVO_VOICES:
    _BY_NAME.setdefault(_key(_voice.voice), _voice)
_RT_BY_KEY: Final = {_key(name).replace("-", "_"): voice for name, voice in RT_VOICES.items()}


def parse_voice(spec: str) -> PlivoVoice | None:
    """Return the listed Plivo voice a setting names, or None when Plivo lists no such voice.

    `spec` is `WOMAN/fr-FR`, `MAN/fr-FR`, `Polly.Lea`, `Polly.Aditi/hi-IN` or a listed language
    (`fr-FR`), which means its first woman or else its first man; case and accents do not matter.
    """
    found = _BY_NAME.get(_key(spec))
    if found is None and (language := _LANGUAGES.get(_key(spec))) and _key(language) == _key(spec):
        return _speaker(language)
    return found


def resolve_voice(
    name: str, overrides: Mapping[str, str] = MappingProxyType({}), default: str = "en-US"
) -> VoiceMatch:
    """Choose the Plivo voice for the voice `name` of an `rt_media`; never raises.

    `overrides` maps voices of the app to settings as `parse_voice` reads them and wins over the
    table; then a Plivo voice named outright; then the language inside the name, in a region Plivo
    speaks (`fr-BE` becomes `fr-FR`); then `default`, read as `parse_voice` does.
    """
    key = _key(name).replace("-", "_")
    for overridden, spec in overrides.items():
        if _key(overridden).replace("-", "_") == key and (voice := parse_voice(spec)):
            return VoiceMatch(voice, exact=True)
    known = _RT_BY_KEY.get(key) or _BY_NAME.get(_key(name))
    if known is not None:
        return VoiceMatch(known, exact=True)
    shown = repr(name[:40])
    language = _language_inside(key)
    if language is not None:
        voice = _speaker(language)
        reason = f"The voice {shown} is not known; {voice} speaks its language."
        return VoiceMatch(voice, exact=False, reason=reason)
    voice = parse_voice(default) or _speaker("en-US")
    return VoiceMatch(
        voice,
        exact=False,
        reason=f"The voice {shown} names no language Plivo speaks; the default {voice} is used.",
    )


def _speaker(language: str) -> PlivoVoice:
    women, men = _BY_LANGUAGE[language]
    return PlivoVoice((women or men)[0], language)


def _language_inside(key: str) -> str | None:
    """Find the language in `tts_fr_be_name`, `nuance_fr_name` or `fr_be`; folded, `_` only."""
    parts = key.split("_")
    # The family comes first in both schemes, so a family such as "no" is not taken for Norwegian.
    for start in (1, 0):
        tail = parts[start : start + 2]
        if tail and tail[0] in _LANGUAGES:
            return _LANGUAGES.get("-".join(tail)) or _LANGUAGES[tail[0]]
    return None


def recognised_language(language: str) -> str:
    """Return the `language` of GetInput for one of Speak: itself, its primary language, or en-US."""
    key = language.strip().lower()
    primary = key.partition("-")[0]
    return _RECOGNISED_BY_KEY.get(key) or _RECOGNISED_BY_KEY.get(primary, "en-US")
