"""Logging in tests that share a process."""

from __future__ import annotations

import sys

import structlog

_LOGGER = type(structlog.get_logger())


def forget_loggers() -> None:
    """Let the loggers of modules take up the configuration of now.

    A program of ours that a test ran in this process lets them keep the one it had.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "bridge":
            for value in list(vars(module).values()):
                if isinstance(value, _LOGGER):
                    vars(value).pop("bind", None)


__all__ = ["forget_loggers"]
