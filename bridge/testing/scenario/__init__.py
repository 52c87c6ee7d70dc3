"""Scenario files: calls and what is expected of them, in YAML, for people who write no Python.

`files` reads them, `model` and `steps` say what may stand in them, `runner` lets them happen on a
rig, the reports tell how it went. The package knows the rig through the protocols in `kit`.
"""

from __future__ import annotations
