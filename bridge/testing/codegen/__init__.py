"""Making a test of a recorded call: a test for pytest, or a scenario file.

`story` says what the person on the phone did and what is expected of the app, in the words of the
test kit; `python_code` and `scenario_file` write that down.
"""

from bridge.testing.codegen.command import codegen_main
from bridge.testing.codegen.python_code import python_code
from bridge.testing.codegen.scenario_file import scenario_file
from bridge.testing.codegen.story import Chapter, Step, Story, StoryError, tell

__all__ = [
    "Chapter",
    "Step",
    "Story",
    "StoryError",
    "codegen_main",
    "python_code",
    "scenario_file",
    "tell",
]
