"""One browser for a module, and a way to open a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support_browser import Open, Watch, open_browser

from bridge.testing.trace import Trace, to_html


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the browser once."""
    with open_browser() as browser:
        yield browser


@pytest.fixture
def open_trace(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open traces from disk; afterwards demand that they asked for nothing and said nothing."""
    opened: list[tuple[Page, Watch, str]] = []

    def open_(trace: Trace, view: str = "", **options: Any) -> Page:
        file = tmp_path / f"trace {len(opened)}.html"
        file.write_bytes(to_html(trace))
        page = browser.new_page(**options)
        opened.append((page, Watch(page), file.as_uri()))
        page.goto(file.as_uri() + view)
        return page

    yield open_
    for page, watch, address in opened:
        page.close()
        assert [address] == [url.partition("#")[0] for url in watch.requests]
        assert [] == watch.complaints
