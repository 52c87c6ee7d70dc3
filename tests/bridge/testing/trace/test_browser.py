"""The page in a real browser. Every test ends with: no request, nothing on the console (conftest)."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Locator, Page, expect
from support_browser import Open
from support_trace import HOSTILE, conference, hostile, long_call, menu_call

from bridge.testing.trace import Trace, to_html


def shown(page: Page) -> int:
    """Count the entries that no filter hides."""
    return page.locator(".row:not([hidden])").count()


def selected(page: Page) -> str:
    """Give the text of the selected entry in the list."""
    return page.locator(".row[aria-selected=true] .words").inner_text()


def test_a_failed_test_opens_at_its_failure(open_trace: Open) -> None:
    """The entry at which the test failed is selected, in sight, and says why."""
    trace = long_call(200)
    page = open_trace(
        Trace(title="late", entries=trace.entries, marker=700, failure="It broke.\nBecause.")
    )

    marker = page.locator(".row.marker")
    expect(marker).to_be_in_viewport(ratio=1)
    expect(marker).to_contain_text("failed here")
    expect(marker).to_have_attribute("aria-selected", "true")
    expect(page.locator("#inspector")).to_contain_text("The test failed here")
    expect(page.locator("#inspector")).to_contain_text("Because.")


def test_the_head_says_what_was_run(open_trace: Open) -> None:
    """Outcome, title, seed, counts and the command to reproduce it are in the head."""
    page = open_trace(menu_call())

    head = page.locator("#viewer > header")
    for text in ("failed", "test_menu.py::", "20260105", "3 passed, 1 failed", "--bridge-seed"):
        expect(head).to_contain_text(text)
    expect(page).to_have_title(re.compile("^failed: test_menu"))


def test_the_command_can_be_copied(open_trace: Open) -> None:
    """The button puts the command where a terminal can paste it."""
    page = open_trace(menu_call())
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy", exact=True).click()

    expect(page.locator("#copy")).to_have_text("Copied")
    assert menu_call().command == page.evaluate("navigator.clipboard.readText()")


def test_a_violation_leads_to_its_turn(open_trace: Open) -> None:
    """Clicking the turn of a violation selects it, and the violation stands beside it."""
    page = open_trace(menu_call())

    page.get_by_role("button", name="turn 4").click()

    assert "start_call_recording" == selected(page)
    expect(page.locator("#inspector .alert")).to_contain_text("SLOW_REPLY")
    expect(page.locator("#inspector .budget")).to_have_class("budget over")


def test_an_arrow_selects_its_entry(open_trace: Open) -> None:
    """A click into the diagram selects what the arrow stands for."""
    page = open_trace(menu_call())

    page.locator(".row.kind-dials .strip").click()

    assert "442079460101, showing 33187654321" == selected(page)
    assert 1 == page.locator(".row[aria-selected=true]").count()


def test_a_document_stands_between_reply_and_callback(open_trace: Open) -> None:
    """RT JSON, XML and the callback's form are side by side, in the order of cause and effect."""
    page = open_trace(menu_call(), viewport={"width": 1600, "height": 900})

    page.locator(".row.kind-gets").nth(1).click()

    cause, document, effect = page.locator(".card").all()
    expect(cause).to_contain_text('"command": "read"')
    expect(document).to_contain_text("<GetDigits")
    expect(effect.locator("dt", has_text="Digits")).to_be_visible()
    boxes = [card.bounding_box() for card in (cause, document, effect)]
    assert 1 == len({box and box["y"] for box in boxes})
    assert sorted(boxes, key=lambda box: box["x"] if box else 0) == boxes


def test_the_page_goes_from_cause_to_effect(open_trace: Open) -> None:
    """A card's title and the keys [ and ] lead to the neighbours of an entry."""
    page = open_trace(menu_call())
    page.locator(".row.kind-gets").first.click()

    page.get_by_role("button", name="Callback redirect", exact=True).click()
    assert "redirect 1/1/next" == selected(page)
    page.keyboard.press("[")
    assert selected(page).startswith("Speak, Redirect")
    page.keyboard.press("]")
    assert "redirect 1/1/next" == selected(page)


def test_search_narrows(open_trace: Open) -> None:
    """Text is searched for in bodies too, any case; Escape brings everything back."""
    page = open_trace(menu_call())

    page.keyboard.press("/")
    page.keyboard.type("NO_ANSWER")

    expect(page.locator("#count")).to_have_text("2 of 32 entries")
    assert 2 == shown(page)
    page.keyboard.press("Escape")
    expect(page.locator("#count")).to_have_text("32 entries")
    assert 32 == shown(page)
    page.keyboard.press("Escape")
    expect(page.locator("#list")).to_be_focused()


def test_search_finds(open_trace: Open) -> None:
    """JSON is searched as it is shown, XML as it came, violations at their turn."""
    page = open_trace(menu_call())
    wanted = {
        '"command": "dialout"': 2,
        "&amp;rt=8000": 4,
        "slow_reply": 1,
        "no such text": 0,
        "   ": 32,
    }

    found = {}
    for query in wanted:
        page.fill("#search", query)
        found[query] = shown(page)
        assert (found[query] == 0) == page.locator("#nothing").is_visible()

    assert wanted == found


def test_a_callback_is_listed_with_what_is_new_in_it(open_trace: Open) -> None:
    """The list says what a callback brought; fields as in the callback before step back."""
    page = open_trace(menu_call())

    page.get_by_text("action · Digits=42").click()

    fields = page.locator(".card.main dt")
    quiet = page.locator(".card.main dt.quiet")
    assert {"Digits"} == {*fields.all_text_contents()} - {*quiet.all_text_contents()}


def test_matches_are_marked(open_trace: Open) -> None:
    """What was searched for is marked in the list and in the opened entry."""
    page = open_trace(menu_call())

    page.fill("#search", "dialout")

    assert 3 <= page.evaluate("CSS.highlights.get('found').size")


def test_kinds_and_calls_filter(open_trace: Open) -> None:
    """Chips show only the kinds chosen, the list of calls only one call; both add up."""
    page = open_trace(conference())

    def chip(kind: str) -> Locator:
        return page.locator(".chip", has_text=kind)

    chip("room").click()
    assert 3 == shown(page)
    chip("dials").click()
    assert 4 == shown(page)
    page.select_option("#call", "3")
    assert 2 == shown(page)
    chip("room").click()
    chip("dials").click()
    assert 7 == shown(page)


def test_keys_move(open_trace: Open) -> None:
    """Letters, arrows, Home and End move through the entries that are shown, without a mouse."""
    page = open_trace(long_call(20))
    steps = {
        "j": "entry-1",
        "ArrowDown": "entry-2",
        "k": "entry-1",
        "End": "entry-99",
        "ArrowUp": "entry-98",
        "PageUp": "entry-83",
        "Home": "entry-0",
    }

    for key, entry in steps.items():
        page.keyboard.press(key)
        expect(page.locator("#list")).to_have_attribute("aria-activedescendant", entry)
        expect(page.locator(f"#{entry}")).to_be_in_viewport(ratio=1)


def test_keys_move_over_what_is_hidden(open_trace: Open) -> None:
    """With a filter on, j and k go to the next entry that is shown."""
    page = open_trace(long_call(5))
    page.fill("#search", "expect_prompt")
    page.keyboard.press("Enter")

    page.keyboard.press("j")

    assert 'expect_prompt("Sentence 2.")' == selected(page)


def test_enter_reads_and_escape_returns(open_trace: Open) -> None:
    """Enter moves the focus into the entry, Escape back to the list."""
    page = open_trace(menu_call())

    page.keyboard.press("Enter")
    expect(page.locator("#inspector")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#list")).to_be_focused()


def test_letters_in_the_search_field_are_text(open_trace: Open) -> None:
    """Keys of the page do nothing while somebody types."""
    page = open_trace(menu_call())

    page.locator("#search").press_sequentially("jkf/?d")

    assert "jkf/?d" == page.input_value("#search")
    expect(page.locator("#help")).to_be_hidden()


def test_the_focus_follows_the_page(open_trace: Open) -> None:
    """Tab goes from the head over search and list to the opened entry."""
    page = open_trace(long_call(2))
    order = []

    page.locator("#search").focus()
    for _ in range(12):
        order.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent")
        )
        page.keyboard.press("Tab")

    wanted = ["search", "to-diagram", "to-help", "list", "divider"]
    assert wanted == [name for name in order if name in wanted]


def test_the_divider_moves_by_keys(open_trace: Open) -> None:
    """The width of the panes can be changed without a mouse."""
    page = open_trace(menu_call())
    divider = page.get_by_role("separator")

    divider.focus()
    page.keyboard.press("ArrowLeft")

    expect(divider).to_have_attribute("aria-valuenow", "46")


def test_the_diagram_can_be_put_away(open_trace: Open) -> None:
    """The key d hides the diagram and brings it back."""
    page = open_trace(menu_call())

    page.keyboard.press("d")
    expect(page.locator(".strip").first).to_be_hidden()
    page.keyboard.press("d")
    expect(page.locator(".strip").first).to_be_visible()


def test_a_link_shows_the_same_view(open_trace: Open) -> None:
    """Search, kinds and the selected entry are in the address and are taken from it."""
    page = open_trace(menu_call())
    page.fill("#search", "dial")
    page.locator(".chip", has_text="tells").click()

    other = open_trace(menu_call(), view="#" + page.url.partition("#")[2])

    assert "dial" == other.input_value("#search")
    assert selected(page) == selected(other)
    assert 1 == shown(other)


def test_lanes_are_the_parties(open_trace: Open) -> None:
    """Callers stand left of Plivo, bridge and app, whom they dialled stands right."""
    page = open_trace(conference())

    assert [
        "call 1…5671",
        "call 2…5672",
        "call 3…5673",
        "Plivo",
        "bridge",
        "app",
        "leg 3.1…0101",
    ] == page.locator("#lanes > span").all_text_contents()


def test_an_expectation_is_a_row_with_its_outcome(open_trace: Open) -> None:
    """Passed, failed and the virtual time waited are said in words, not in colour alone."""
    page = open_trace(menu_call())

    rows = page.locator(".row.kind-expects").all_text_contents()
    assert "passed" in rows[2]
    assert "waited 0.5 s" in rows[2]
    assert "failed" in rows[3]
    assert "waited 60.0 s" in rows[3]


def test_hostile_text_is_only_text(open_trace: Open) -> None:
    """Markup, quotes, controls, right-to-left and 100 KB bodies run nothing and hide nothing."""
    page = open_trace(hostile())

    assert 2 == page.locator("script").count()
    assert 0 == page.locator("img, iframe, object").count()
    expect(page.locator("h1")).to_contain_text("</script><script>document.title='owned'")
    expect(page.locator("h1")).to_contain_text("\\u202etxt.exe")
    for row in page.locator(".row").all():
        row.click()
        expect(page.locator("#inspector h2")).not_to_be_empty()
    page.fill("#search", HOSTILE)
    assert 4 < shown(page) < 13


def test_a_large_body_is_shown_whole(open_trace: Open) -> None:
    """A body of 100 KB is there to its last character."""
    page = open_trace(hostile())

    page.locator(".row", has_text="a large document").click()

    text = page.locator(".card.main .code").inner_text()
    assert 17000 == text.count("a & b")


def test_a_thousand_entries(open_trace: Open) -> None:
    """A long call is listed whole, and the search reaches its end."""
    page = open_trace(long_call(200))

    assert 1000 == page.locator(".row").count()
    page.fill("#search", "Sentence 200")
    assert 4 == shown(page)


def test_a_trace_without_entries(open_trace: Open) -> None:
    """A test that failed before the first entry still has a page."""
    page = open_trace(Trace(title="nothing", entries=[], failure="No app.", marker=0))

    page.keyboard.press("j")
    page.keyboard.press("f")

    expect(page.locator("h1")).to_have_text("nothing")
    expect(page.locator("#count")).to_have_text("0 entries")


def test_nothing_is_wider_than_the_window(open_trace: Open) -> None:
    """The page fits into windows of any width, and the mark stays in reach."""
    page = open_trace(hostile())

    for width in (1600, 1024, 800, 400):
        page.set_viewport_size({"width": width, "height": 800})
        assert width >= page.evaluate("document.documentElement.scrollWidth")
        page.keyboard.press("f")
        expect(page.locator(".row.marker")).to_be_in_viewport()


def test_the_page_follows_the_colour_scheme(open_trace: Open) -> None:
    """Light and dark come from the reader's system, also while the page is open."""
    page = open_trace(menu_call(), color_scheme="dark")

    def brightness() -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)))

    dark = brightness()
    page.emulate_media(color_scheme="light")

    assert dark < 3 * 64 < 3 * 192 < brightness()


def test_the_page_reads_without_javascript(open_trace: Open) -> None:
    """Without JavaScript the list, the failure and the mark are readable."""
    page = open_trace(menu_call(), java_script_enabled=False)

    expect(page.locator("main.plain > ol > li")).to_have_count(32)
    expect(page.locator(".marked")).to_contain_text("failed here")
    expect(page.locator("#viewer")).to_be_hidden()


def test_the_policy_stops_what_does_not_belong(browser: Browser) -> None:
    """A script that got into the page somehow would not run."""
    html = to_html(menu_call()).replace(
        b"</body>", b"<script>document.title='owned'</script></body>"
    )
    page = browser.new_page()

    page.set_content(html.decode())

    expect(page).to_have_title(re.compile("^failed"))
    page.close()
