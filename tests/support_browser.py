"""Debian's chromium for tests of pages: found or skipped, never downloaded."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS: Final = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Longest a page may take for anything, in ms.
PATIENCE_MS: Final = 10_000

#: Opens something in a page: see the fixture of that name.
Open = Callable[..., Page]


@cache
def chromium() -> str | None:
    """Give the path of a browser that starts; some distributions ship a stub that only talks."""
    for path in filter(None, map(shutil.which, NAMES)):
        done = subprocess.run([path, "--version"], capture_output=True, check=False, timeout=60)
        if done.returncode == 0:
            return path
    return None


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the browser, or skip the test.

    While it is open no async test can run in this thread, so a module of browser tests has sync
    tests only.
    """
    path = chromium()
    if path is None:
        pytest.skip("no chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """What a page should not do: `requests` beyond its own file, and `complaints` on its console."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))


__all__ = ["ARGUMENTS", "Open", "Watch", "chromium", "open_browser"]
