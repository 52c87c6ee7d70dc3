from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from support_sdk_nesting import SDK_NESTING, sdk_accepts

import bridge.plivo
from bridge.plivo.schema import MAX_DOCUMENT_BYTES, ends_safely, problems
from mappings._plivo.voices import PLIVO_VOICES

URL = "https://bridge.example.com/plivo/a/act?c=7&amp;s=2"
RETRY = f"{URL}#ct=2000&amp;rt=3000&amp;tt=10000&amp;rc=2&amp;rp=4xx,ct,rt&amp;er=nearest"

FULL = {
    "Speak basic": '<Speak voice="MAN" language="fr-FR" loop="0">Salut &amp; à bientôt &lt;3</Speak>',
    "Speak SSML": (
        '<Speak voice="Polly.Amy" language="en-GB" loop="2">Hi'
        '<break strength="weak"/><break time="500ms"/>'
        '<emphasis level="strong">now <sub alias="Doctor">Dr</sub></emphasis>'
        '<lang xml:lang="fr-FR">bon <p>jour<s>toi</s></p></lang>'
        '<phoneme alphabet="ipa" ph="pɪˈkɑːn">pecan</phoneme>'
        '<prosody volume="+6dB" rate="fast" pitch="-10%">quick</prosody>'
        '<prosody volume="loud" rate="90%" pitch="low"><s>slow</s></prosody>'
        '<say-as interpret-as="date" format="dmy">1/2/2020</say-as>'
        '<w role="amazon:VBD">read</w></Speak>'
    ),
    "Play": '<Play loop="3">https://cdn.example.com/media/m1.wav</Play>',
    "GetDigits": (
        f'<GetDigits action="{RETRY}" method="POST" timeout="5" digitTimeout="2" finishOnKey="#" '
        f'numDigits="4" retries="1" redirect="true" playBeep="false" validDigits="0123456789*#" '
        f'invalidDigitsSound="https://cdn.example.com/no.mp3" log="false">'
        f"<Speak>Code?</Speak><Play>https://cdn.example.com/a.mp3</Play></GetDigits>"
    ),
    "GetInput": (
        f'<GetInput action="{RETRY}" method="GET" inputType="dtmf speech" executionTimeout="60" '
        f'digitEndTimeout="auto" speechEndTimeout="10" finishOnKey="none" numDigits="32" '
        f'speechModel="phone_call" hints="yes, no, maybe later" language="yue-Hant-HK" '
        f'interimSpeechResultsCallback="{RETRY}" interimSpeechResultsCallbackMethod="POST" '
        f'log="true" redirect="false" profanityFilter="true"><Speak>Yes?</Speak></GetInput>'
    ),
    "Record": (
        f'<Record action="{RETRY}" method="POST" fileFormat="wav" redirect="true" timeout="86400" '
        f'maxLength="2" playBeep="true" finishOnKey="#" recordSession="false" '
        f'startOnDialAnswer="false" recordChannelType="mono" transcriptionType="auto" '
        f'transcriptionUrl="{RETRY}" transcriptionMethod="GET" transcriptionReportType="full" '
        f'callbackUrl="{RETRY}" callbackMethod="POST"/>'
    ),
    "Dial": (
        f'<Dial action="{RETRY}" method="POST" hangupOnStar="true" timeLimit="14400" timeout="30" '
        f'callerId="+33123456789" callerName="The desk" confirmSound="{RETRY}" confirmKey="1" '
        f'dialMusic="{RETRY}" callbackUrl="{RETRY}" callbackMethod="GET" redirect="true" '
        f'digitsMatch="1,2#" digitsMatchBLeg="*9" sipHeaders="a=1,b=2" callType="voice">'
        '<Number sendDigits="wwww2410" sendOnPreanswer="false" sendDigitsMode="rfc2833">'
        "+33612345678</Number>"
        '<User sendDigits="1w" sendOnPreanswer="true" sipHeaders="k=v" sipAuthUsername="u" '
        'sipAuthPassword="long-enough">sip:alice1234@phone.plivo.com</User></Dial>'
    ),
    "Dial whisper": (
        f'<Dial confirmSound="{URL}" confirmTimeout="30" dialMusic="real">'
        f"<Number>33612345678</Number></Dial>"
    ),
    "Conference": (
        f'<Conference muted="false" enterSound="beep:1" exitSound="{URL}" '
        f'startConferenceOnEnter="true" endConferenceOnExit="false" stayAlone="true" '
        f'waitSound="{RETRY}" maxMembers="20" record="true" recordFileFormat="mp3" '
        f'recordWhenAlone="false" timeLimit="0" hangupOnStar="true" action="{RETRY}" '
        f'method="POST" callbackUrl="{RETRY}" callbackMethod="POST" transcriptionType="auto" '
        f'transcriptionUrl="{URL}" transcriptionMethod="POST" digitsMatch="#0,99,000" '
        f'floorEvent="false" redirect="true" relayDTMF="true" sendDigits="1">My Room</Conference>'
    ),
    "Conference quiet": '<Conference enterSound="" exitSound="">r1</Conference>',
    "MultiPartyCall": (
        f'<MultiPartyCall role="Supervisor" maxDuration="300" maxParticipants="2" waitTime="0" '
        f'waitMusicUrl="{URL}" waitMusicMethod="GET" agentHoldMusicUrl="{URL}" '
        f'agentHoldMusicMethod="GET" customerHoldMusicUrl="{URL}" customerHoldMusicMethod="GET" '
        f'record="true" recordFileFormat="wav" recordingCallbackUrl="{URL}" '
        f'recordingCallbackMethod="POST" recordMinMemberCount="2" recordParticipantTrack="true" '
        f'statusCallbackUrl="{URL}" statusCallbackMethod="POST" '
        f'statusCallbackEvents="mpc-state-changes,participant-speak-events" stayAlone="false" '
        f'coachMode="true" mute="false" hold="false" startMpcOnEnter="true" endMpcOnExit="false" '
        f'enterSound="none" enterSoundMethod="GET" exitSound="beep:2" exitSoundMethod="GET" '
        f'onExitActionUrl="{URL}" onExitActionMethod="POST" relayDTMFInputs="false" '
        f'startRecordingAudio="{URL}" startRecordingAudioMethod="GET" stopRecordingAudio="{URL}" '
        f'stopRecordingAudioMethod="GET" transcript="false" transcriptionUrl="{URL}">'
        f"mpc_name</MultiPartyCall>"
    ),
    "Hangup": '<Hangup reason="busy" schedule="60"/>',
    "Redirect": f'<Redirect method="GET">{RETRY}</Redirect>',
    "Wait silence": '<Wait length="10" silence="true" minSilence="3000" beep="false"/>',
    "Wait beep": '<Wait length="120" silence="false" beep="true"/>',
    "PreAnswer": (
        "<PreAnswer><Speak>Soon</Speak><Play>https://cdn.example.com/t.mp3</Play><Wait/></PreAnswer>"
    ),
    "DTMF": '<DTMF async="false">1w2W*#</DTMF>',
    "Message": (
        f'<Message src="+15671234567" dst="15671234568&lt;+15671234569" type="sms" '
        f'callbackUrl="{URL}" callbackMethod="POST">Hello</Message>'
    ),
    "Stream both ways": (
        f'<Stream bidirectional="true" audioTrack="inbound" keepCallAlive="true" '
        f'streamTimeout="60" statusCallbackUrl="{URL}" statusCallbackMethod="POST" '
        f'contentType="audio/x-mulaw;rate=8000" extraHeaders="a=1,b=2" noiseCancellation="true" '
        f'noiseCancellationLevel="85">wss://bridge.example.com/stream/x</Stream>'
    ),
    "Stream one way": (
        '<Stream bidirectional="false" audioTrack="both" contentType="audio/x-l16;rate=16000">'
        "ws://127.0.0.1:8080/stream</Stream>"
    ),
}

NUMBER = "<Number>33612345678</Number>"

BAD = {
    "an element of another vendor": "<Say>Hello</Say>",
    "an element in the wrong case": "<speak>Hello</speak>",
    "an element in a namespace": '<Speak xmlns="urn:x">Hello</Speak>',
    "an unknown attribute": '<Speak pitch="1">Hello</Speak>',
    "an attribute in the wrong case": '<Wait Length="1"/>',
    "a child of Dial at the top": NUMBER,
    "bare text": "Hello",
    "Wait inside GetDigits": "<GetDigits><Wait/></GetDigits>",
    "GetDigits inside PreAnswer": "<PreAnswer><GetDigits/></PreAnswer>",
    "Redirect inside GetInput": (
        f'<GetInput action="{URL}" inputType="dtmf"><Redirect>{URL}</Redirect></GetInput>'
    ),
    "text inside GetDigits": "<GetDigits>Code?</GetDigits>",
    "an empty PreAnswer": "<PreAnswer/>",
    "text inside Hangup": "<Hangup>bye</Hangup>",
    "Speak without text": "<Speak/>",
    "Speak of white space": "<Speak> \n </Speak>",
    "a Polly Speak without text": '<Speak voice="Polly.Lea"/>',
    "a Polly Speak with tags and no text": '<Speak voice="Polly.Lea"><break/></Speak>',
    "a Speak too long": f"<Speak>{'a' * 3001}</Speak>",
    "a marked-up Speak too long": (
        f'<Speak voice="Polly.Lea">{"a" * 3000}<emphasis>b</emphasis></Speak>'
    ),
    "SSML for a basic voice": "<Speak>Hello <break/></Speak>",
    "an amazon tag": '<Speak voice="Polly.Amy"><amazon>x</amazon></Speak>',
    "a paragraph in a sentence": '<Speak voice="Polly.Amy"><s>a<p>b</p></s></Speak>',
    "a male voice Plivo lacks": '<Speak voice="MAN" language="fr-CA">Bonjour</Speak>',
    "a female voice Plivo lacks": '<Speak voice="WOMAN" language="pt-PT">Bom dia</Speak>',
    "a basic voice of an unlisted language": '<Speak voice="WOMAN" language="ja-JP">a</Speak>',
    "an unlisted language alone": '<Speak language="xx-XX">a</Speak>',
    "a Polly voice in another language": '<Speak voice="Polly.Lea" language="en-US">a</Speak>',
    "an unknown Polly voice": '<Speak voice="Polly.Nobody">a</Speak>',
    "an endless loop written as minus one": '<Speak loop="-1">a</Speak>',
    "a relative Play": "<Play>/media/a.mp3</Play>",
    "a Play of a local file": "<Play>file:///etc/passwd</Play>",
    "an empty Play": "<Play/>",
    "a padded URL": "<Play> https://cdn.example.com/a.mp3 </Play>",
    "a URL with a space": "<Play>https://cdn.example.com/a b.mp3</Play>",
    "retry settings where Plivo has none": "<Play>https://cdn.example.com/a.mp3#rc=2</Play>",
    "a relative Redirect": "<Redirect>/plivo/a/act</Redirect>",
    "an empty Redirect": "<Redirect/>",
    "too many retries": "<Redirect>https://b.example.com/x#rc=6</Redirect>",
    "a retry setting Plivo lacks": "<Redirect>https://b.example.com/x#retries=1</Redirect>",
    "a method other than GET and POST": f'<Redirect method="PUT">{URL}</Redirect>',
    "a method in lower case": f'<Redirect method="post">{URL}</Redirect>',
    "a boolean in upper case": '<GetDigits playBeep="True"/>',
    "a boolean as a number": '<GetDigits log="0"/>',
    "no digits": '<GetDigits numDigits="0"/>',
    "no timeout": '<GetDigits timeout="0"/>',
    "a fraction of a second": '<GetDigits timeout="1.5"/>',
    "a leading zero": '<GetDigits timeout="05"/>',
    "two finishing keys": '<GetDigits finishOnKey="*#"/>',
    "a letter among the valid digits": '<GetDigits validDigits="12a"/>',
    "GetInput without action": '<GetInput inputType="dtmf"/>',
    "GetInput without inputType": f'<GetInput action="{URL}"/>',
    "GetInput under 5 s": f'<GetInput action="{URL}" inputType="dtmf" executionTimeout="4"/>',
    "GetInput over 60 s": f'<GetInput action="{URL}" inputType="dtmf" executionTimeout="61"/>',
    "GetInput ending after 1 s": f'<GetInput action="{URL}" inputType="dtmf" digitEndTimeout="1"/>',
    "33 digits": f'<GetInput action="{URL}" inputType="dtmf" numDigits="33"/>',
    "an unknown speech language": (
        f'<GetInput action="{URL}" inputType="speech" language="da-DK"/>'
    ),
    "an endless hint": f'<GetInput action="{URL}" inputType="speech" hints="{"a" * 101}"/>',
    "a recording of 1 s": '<Record maxLength="1"/>',
    "a recording over a day": '<Record maxLength="86401"/>',
    "an unknown recording format": '<Record fileFormat="ogg"/>',
    "a Dial without target": "<Dial/>",
    "an empty Number": "<Dial><Number/></Dial>",
    "a Number with words": "<Dial><Number>call me</Number></Dial>",
    "a User that is no SIP address": "<Dial><User>alice</User></Dial>",
    "a caller name over 50 characters": f'<Dial callerName="{"a" * 51}">{NUMBER}</Dial>',
    "a key to confirm without its sound": f'<Dial confirmKey="1">{NUMBER}</Dial>',
    "a confirm timeout without sound": f'<Dial confirmTimeout="5">{NUMBER}</Dial>',
    "a confirm timeout beside a key": (
        f'<Dial confirmSound="{URL}" confirmKey="1" confirmTimeout="5">{NUMBER}</Dial>'
    ),
    "a withheld caller id": f'<Dial callerId="none">{NUMBER}</Dial>',
    "music that is no document": f'<Dial dialMusic="none">{NUMBER}</Dial>',
    "a Conference without name": "<Conference/>",
    "a Conference name with a slash": "<Conference>a/b</Conference>",
    "no member": '<Conference maxMembers="0">r</Conference>',
    "21 members": '<Conference maxMembers="21">r</Conference>',
    "a third beep": '<Conference enterSound="beep:3">r</Conference>',
    "a silent wait sound": '<Conference waitSound="">r</Conference>',
    "a Hangup for another reason": '<Hangup reason="tired"/>',
    "a Hangup now by schedule": '<Hangup schedule="0"/>',
    "a Wait of nothing": '<Wait length="0"/>',
    "minSilence without silence": '<Wait minSilence="2000"/>',
    "a beep awaited in silence": '<Wait silence="true" beep="true"/>',
    "a Wait shorter than its silence": '<Wait length="2" silence="true" minSilence="2000"/>',
    "an enormous number": f'<Wait silence="true" minSilence="{"9" * 5000}"/>',
    "a letter as DTMF": "<DTMF>12a</DTMF>",
    "a DTMF without digits": "<DTMF/>",
    "a Message without destination": '<Message src="15671234567">Hi</Message>',
    "a Stream over HTTP": "<Stream>https://bridge.example.com/stream</Stream>",
    "both tracks of a two-way Stream": (
        '<Stream bidirectional="true" audioTrack="both">wss://b.example.com/s</Stream>'
    ),
    "a one-way Stream kept alive": '<Stream keepCallAlive="true">wss://b.example.com/s</Stream>',
    "an unknown codec": '<Stream contentType="audio/wav">wss://b.example.com/s</Stream>',
    "a MultiPartyCall without role": "<MultiPartyCall>m</MultiPartyCall>",
    "a short MultiPartyCall": '<MultiPartyCall role="Agent" maxDuration="299">m</MultiPartyCall>',
}


def response(body: str) -> bytes:
    """Wrap `body`, which then stands on the second line."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Response>{body}</Response>'.encode()


@pytest.mark.parametrize("name", FULL)
def test_accepts_every_element_with_all_its_attributes(name: str) -> None:
    """A document that uses all an element offers is valid."""
    assert [] == problems(response(FULL[name]))


def test_the_full_examples_use_every_attribute_of_the_grammar() -> None:
    """No attribute of the grammar is without an accepted example."""
    ns = {"r": "http://relaxng.org/ns/structure/1.0"}
    grammar = etree.parse(Path(bridge.plivo.__file__).with_name("response.rng"))
    declared: set[tuple[str, str]] = set()
    for element in grammar.iterfind(".//r:element", ns):
        for attribute in element.iterfind(".//r:attribute", ns):
            declared.add((str(element.get("name")), str(attribute.get("name"))))
    used: set[tuple[str, str]] = set()
    for body in FULL.values():
        for element in etree.fromstring(response(body)).iter(etree.Element):
            for name in element.attrib:
                used.add(
                    (
                        str(element.tag),
                        str(name).replace("{http://www.w3.org/XML/1998/namespace}", "xml:"),
                    )
                )
    assert set() == declared - used


@pytest.mark.parametrize("name", BAD)
def test_refuses_what_a_careful_writer_never_says(name: str) -> None:
    """A document outside the reference is reported, with the line of the fault."""
    found = problems(response(BAD[name]))
    assert found
    assert all(sentence.startswith("line 2: ") for sentence in found), found


@pytest.mark.parametrize("voice", PLIVO_VOICES, ids=str)
def test_accepts_every_listed_voice(voice: object) -> None:
    """Each voice of the table may be written with its language and, Polly, without."""
    assert isinstance(voice, type(PLIVO_VOICES[0]))
    body = f'<Speak voice="{voice.voice}" language="{voice.language}">Hello</Speak>'
    assert [] == problems(response(body))


def test_refuses_every_unlisted_pair_of_voice_and_language() -> None:
    """The grammar knows exactly the voices of the table, in exactly their languages."""
    listed = {(voice.voice, voice.language) for voice in PLIVO_VOICES}
    names = sorted({name for name, _ in listed})
    languages = sorted({language for _, language in listed})
    accepted = {
        (name, language)
        for name in names
        for language in languages
        if not problems(response(f'<Speak voice="{name}" language="{language}">a</Speak>'))
    }
    assert listed == accepted


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"\xef\xbb\xbf<Response><Hangup/></Response>", "byte order mark"),
        (b' <?xml version="1.0"?><Response><Hangup/></Response>', "XML declaration"),
        (b"<html><body>502 Bad Gateway</body>", "line 1"),
        (b"<Response><Speak>Tom & Jerry</Speak></Response>", "line 1"),
        (b"<Response><Speak>\xe9t\xe9</Speak></Response>", "not UTF-8"),
        (b"<Response><Speak>&#1;</Speak></Response>", "line 1"),
        (b"<Response><Hangup/>", "line 1"),
        (b"<Response><Speak>&nbsp;</Speak></Response>", "line 1"),
        (b"<response><Hangup/></response>", "Response"),
        (b"<Response/>", "line 1"),
        (b'<Response version="1"><Hangup/></Response>', 'version="1"'),
        (
            b'<?xml version="1.0" encoding="ISO-8859-1"?><Response><Hangup/></Response>',
            "ISO-8859-1",
        ),
        ("<Response><Hangup/></Response>".encode("utf-16"), "not UTF-8"),
        ("<Response><Hangup/></Response>".encode("utf-16-le"), "UTF-16"),
        (b"\x00\xff\xfe", "not UTF-8"),
        (b"<Response>" + b"<GetDigits>" * 9000, "line 1"),
    ],
)
def test_refuses_what_is_no_plain_utf8_document(xml: bytes, words: str) -> None:
    """Bodies that Plivo cannot read are reported instead of raising."""
    found = problems(xml)
    assert 1 == len(found)
    assert words in found[0]


def test_refuses_a_document_over_100_kb() -> None:
    """One byte over the limit is refused and the limit itself is accepted."""
    body = "<Speak>Hello</Speak>" * 10
    padding = MAX_DOCUMENT_BYTES - len(response(body))
    fits = response(body + " " * padding)
    assert MAX_DOCUMENT_BYTES == len(fits)
    assert [] == problems(fits)
    assert ["The document has 100001 bytes; Plivo takes 100000."] == problems(fits + b"\n")


def test_refuses_declarations_without_expanding_or_fetching(tmp_path: Path) -> None:
    """Entity bombs, external entities and external DTDs are refused unread."""
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret", encoding="utf-8")
    bomb = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    expected = ["The document has a document type declaration; Plivo XML has none."]
    for declaration in (
        f'<!DOCTYPE Response [<!ENTITY l0 "lol">{bomb}]>',
        f'<!DOCTYPE Response [<!ENTITY l9 SYSTEM "{secret.as_uri()}">]>',
        '<!DOCTYPE Response SYSTEM "http://127.0.0.1:9/x.dtd">',
    ):
        xml = f"{declaration}<Response><Speak>&l9;</Speak><Hangup/></Response>".encode()
        assert expected == problems(xml)
        assert not ends_safely(xml)


def test_an_element_with_every_attribute_is_checked_quickly() -> None:
    """Two dozen optional attributes on many elements do not multiply into states."""
    xml = response(FULL["Conference"] * 80)
    assert [] == problems(xml)
    wrong = xml.replace(b'maxMembers="20"', b'maxMembers="21"', 2)
    assert ['line 2: Conference does not take maxMembers="21" here.'] * 2 == problems(wrong)


def test_messages_name_the_line_the_element_and_the_value() -> None:
    """A reader of the message finds the place without opening the grammar."""
    xml = response(
        '\n<Wait/>\n<GetDigits>\n<Speak voice="MAN" language="fr-CA">a</Speak></GetDigits>'
    )
    assert ['line 5: Speak does not take voice="MAN" here.'] == problems(xml)
    assert ["line 2: The attributes of GetInput are incomplete or do not go together."] == problems(
        response("<GetInput/>")
    )
    assert ["line 2: Speak has 3001 characters; Plivo reads 3000."] == problems(
        response(f'<Speak voice="Polly.Amy"><s>{"a" * 3001}</s></Speak>')
    )


def test_sound_documents_hold_sounds_only() -> None:
    """What waitSound and its kin fetch may contain Play, Speak and Wait and nothing else."""
    sounds = "<Play>https://cdn.example.com/a.mp3</Play><Speak>Hello</Speak><Wait length='2'/>"
    assert [] == problems(response(sounds), kind="sounds")
    for name in sorted(SDK_NESTING["Response"] - {"Play", "Speak", "Wait"}):
        body = next(text for key, text in FULL.items() if key.split()[0] == name)
        assert problems(response(sounds + body), kind="sounds"), name
    assert problems(response(""), kind="sounds")


@pytest.mark.parametrize(
    ("body", "safe"),
    [
        (f"<Speak>a</Speak><Redirect>{URL}</Redirect>", True),
        ("<Hangup/>", True),
        ('<Hangup reason="busy"/><!-- refused -->', True),
        (f"<Redirect>{URL}</Redirect><Speak>a</Speak>", False),
        (f'<GetDigits action="{URL}"/>', False),
        (f"<Dial><Number>1234</Number></Dial><Foo><Redirect>{URL}</Redirect></Foo>", False),
        ("", False),
        ("<Hangup/><Speak>Tom & Jerry</Speak><Hangup/>", False),
    ],
)
def test_only_redirect_and_hangup_end_a_document_safely(body: str, *, safe: bool) -> None:
    """The last element decides whether the call comes back or ends on purpose."""
    assert safe is ends_safely(response(body))


def test_every_example_nests_as_the_official_sdk_does() -> None:
    """The official SDK would let every element of the examples into its parent."""
    assert {} == {name: bad for name, body in FULL.items() if (bad := sdk_accepts(response(body)))}


SAMPLES = {name.split()[0]: body for name, body in FULL.items()} | {
    "Speak": '<Speak voice="Polly.Amy">a</Speak>',
    "Number": NUMBER,
    "User": "<User>sip:a@b.example</User>",
    "break": "<break/>",
    "emphasis": "<emphasis>a</emphasis>",
    "lang": '<lang xml:lang="fr-FR">a</lang>',
    "p": "<p>a</p>",
    "phoneme": '<phoneme ph="a">a</phoneme>',
    "prosody": "<prosody>a</prosody>",
    "s": "<s>a</s>",
    "say-as": '<say-as interpret-as="digits">12</say-as>',
    "sub": '<sub alias="b">a</sub>',
    "w": '<w role="amazon:NN">a</w>',
}


def nested(parent: str, child: str) -> bytes:
    """Build a document that is valid but for the question whether `parent` may hold `child`."""
    tree = etree.fromstring(SAMPLES.get(parent, "<Response/>"))
    del tree[:]
    tree.append(etree.fromstring(SAMPLES[child]))
    around = ["Speak"] if parent.islower() else ["Dial"] if parent in {"Number", "User"} else []
    for name in around:
        outer = etree.fromstring(SAMPLES[name])
        outer.append(tree)
        tree = outer
    return etree.tostring(tree) if parent == "Response" else response(etree.tostring(tree).decode())


def test_the_grammar_nests_no_more_than_the_official_sdk() -> None:
    """Where the two differ the grammar follows the narrower sentence of the reference."""
    names = sorted(str(name) for name in SDK_NESTING if name != "cont")
    differences = []
    for parent in names:
        for child in (name for name in names if name != "Response"):
            xml = nested(parent, child)
            if (not problems(xml)) is not (not sdk_accepts(xml)):
                differences.append((parent, child))
    assert [
        ("GetDigits", "Wait"),
        ("GetInput", "Wait"),
        ("PreAnswer", "DTMF"),
        ("PreAnswer", "GetDigits"),
        ("PreAnswer", "Message"),
        ("PreAnswer", "Redirect"),
    ] == differences


def test_the_sdk_check_reports_refusals() -> None:
    """The second opinion names the line, the child and the parent it refuses."""
    xml = b"<Response>\n<Hangup><Wait/></Hangup><Say/></Response>"
    assert [
        "line 2: the SDK refuses 'Say' in 'Response'.",
        "line 2: the SDK refuses 'Wait' in 'Hangup'.",
        "line 2: the SDK has no 'Say'.",
    ] == sdk_accepts(xml)
    assert ["The root is 'Wait', not Response."] == sdk_accepts(b"<Wait/>")
