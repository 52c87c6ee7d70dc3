"""Promises about the repository itself: layering, sizes, lock files and package contents."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("bridge", "mappings")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAPPINGS = sorted((ROOT / "mappings").glob("*.py"))
CACHES = {"__pycache__", ".ruff_cache", ".mypy_cache"}
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

# Spelt with classes so that this file does not contain what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:work|root|farm|home/[a-z]+)/")
REGISTRY_HOST = re.compile(
    r"py[p]i\.org|pythonhoste[d]|npmj[s]|index-ur[l]\s*=?\s*http", re.IGNORECASE
)
FOREIGN_PAGE = re.compile(r"plivo-fact[s]|\bsee[d] 0|rt-protoco[l]|DESIG[N]|house-styl[e]")


def _tool(*arguments: str | Path, cwd: Path = ROOT, stdin: str = "") -> tuple[int, str]:
    """Run a module of the test environment; give its exit status and everything it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def _tracked() -> list[Path]:
    """List the text files that belong to the project."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("the list of tracked files needs git and a checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


# --- layering ---------------------------------------------------------------------------------


def _contracts(tmp_path: Path, sources: dict[str, str]) -> tuple[int, str]:
    """Check the project's own import contracts against a small tree of the same package names."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # Every module a contract names must exist, and every import one ignores.
    tree = {"bridge/__init__.py": "", "mappings/__init__.py": "", "bridge/test_clock.py": ""}
    for contract in PYPROJECT["tool"]["importlinter"]["contracts"]:
        for module in contract["source_modules"] + contract["forbidden_modules"]:
            if module.startswith("bridge."):
                tree[f"{module.replace('.', '/')}/__init__.py"] = ""
    tree["bridge/serve/__init__.py"] = "import bridge.test_clock\n"
    for name, text in (tree | sources).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = "from importlinter.cli import lint_imports_command as main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def _forbidden(contract_id: str) -> list[str]:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    return next(c["forbidden_modules"] for c in contracts if c["id"] == contract_id)


def test_contracts_keep_a_clean_tree(tmp_path: Path) -> None:
    """A tree in which mappings imports only itself keeps every import contract."""
    code, output = _contracts(
        tmp_path,
        {"mappings/a.py": "import json\n", "mappings/b.py": "import mappings.a\n"},
    )

    assert 0 == code, output


def test_contracts_catch_every_forbidden_import(tmp_path: Path) -> None:
    """Each module that mappings must not know is reported when a mapping imports it."""
    forbidden = _forbidden("pure-mappings")

    code, output = _contracts(
        tmp_path,
        {"mappings/broken.py": "".join(f"import {name}\n" for name in forbidden)},
    )

    missed = [name for name in forbidden if f"mappings.broken -> {name}" not in output]
    assert 1 == code
    assert [] == missed


def test_contracts_catch_an_indirect_import(tmp_path: Path) -> None:
    """A mapping that reaches the clock through a helper of its own package is reported as well."""
    code, output = _contracts(
        tmp_path,
        {
            "mappings/_kernel/__init__.py": "",
            "mappings/_kernel/helper.py": "def now() -> float:\n    import time\n    return time.time()\n",
            "mappings/command.py": "from mappings._kernel import helper\n",
        },
    )

    assert 1 == code
    assert "mappings._kernel.helper -> time" in output


def test_contracts_keep_http_out_of_the_store(tmp_path: Path) -> None:
    """A store that imports aiohttp breaks a contract."""
    code, output = _contracts(tmp_path, {"bridge/store/web.py": "import aiohttp\n"})

    assert 1 == code
    assert "bridge.store.web -> aiohttp" in output


@pytest.mark.parametrize(
    ("file", "source", "arrow"),
    [
        ("simulator/x", "import bridge.session", "bridge.simulator.x -> bridge.session"),
        ("simulator/x", "import mappings", "bridge.simulator.x -> mappings"),
        ("session/x", "import bridge.testing", "bridge.session.x -> bridge.testing"),
        ("app/x", "import bridge.simulator", "bridge.app.x -> bridge.simulator"),
    ],
)
def test_contracts_hold_simulator_and_bridge_apart(
    tmp_path: Path, file: str, source: str, arrow: str
) -> None:
    """The simulated Plivo and what serves do not know each other."""
    code, output = _contracts(tmp_path, {f"bridge/{file}.py": f"{source}\n"})

    assert 1 == code
    assert arrow in output


@pytest.mark.parametrize(
    ("file", "source", "banned"),
    [
        ("mappings/x.py", "import time\n\nNOW = time.time()\n", "time.time"),
        ("mappings/x.py", "import time\n\nNOW = time.monotonic()\n", "time.monotonic"),
        ("mappings/x.py", "import uuid\n\nID = uuid.uuid4()\n", "uuid.uuid4"),
        ("mappings/x.py", "from random import choice\n", "random"),
        ("mappings/x.py", "import secrets\n", "secrets"),
        ("mappings/x.py", "from os import environ\n", "os.environ"),
        (
            "mappings/_kernel/x.py",
            "import datetime as dt\n\nNOW = dt.datetime.now(tz=dt.UTC)\n",
            "datetime.datetime.now",
        ),
        (
            "bridge/x.py",
            "import asyncio\n\nTASK = asyncio.create_task(None)\n",
            "asyncio.create_task",
        ),
    ],
)
def test_linter_bans_what_a_replay_cannot_repeat(file: str, source: str, banned: str) -> None:
    """Clocks, randomness and environment are lint errors in mappings, bare tasks in the bridge."""
    arguments = ("--select", "TID251", "--output-format", "json", "--stdin-filename", file, "-")

    _, output = _tool("ruff", "check", "--no-cache", *arguments, stdin=source)

    messages = [row["message"] for row in json.loads(output)]
    assert any(f"`{banned}` is banned" in message for message in messages), messages


def test_every_ruff_exception_has_a_reason() -> None:
    """No rule is switched off in pyproject.toml without a comment on its line."""
    text = (ROOT / "pyproject.toml").read_text()
    rules = [line for line in text.splitlines() if re.match(r'^  "[A-Z]+\d*",', line)]

    bare = [line for line in rules if "  # " not in line and " # " not in line]
    assert 10 < len(rules)
    assert [] == bare


# --- sizes and contents of tracked files ------------------------------------------------------


def _too_long(modules: list[Path], limit: int) -> dict[str, int]:
    lengths = {path: len(path.read_text().splitlines()) for path in modules}
    return {str(p.relative_to(ROOT)): count for p, count in lengths.items() if count >= limit}


def test_modules_stay_readable_in_one_sitting() -> None:
    """Every module of both packages is shorter than 400 lines."""
    assert MODULES
    assert {} == _too_long(MODULES, 400)


def test_mappings_stay_short() -> None:
    """Every mapping module is shorter than 150 lines."""
    assert MAPPINGS
    assert {} == _too_long(MAPPINGS, 150)


def test_packages_say_what_they_are() -> None:
    """Each package of the project opens with a docstring."""
    packages = [path for path in MODULES if path.name == "__init__.py"]

    silent = [str(p.relative_to(ROOT)) for p in packages if not p.read_text().startswith('"""')]
    assert [] == silent


def _lines_with(*patterns: re.Pattern[str]) -> list[str]:
    """List the lines of tracked text files in which one of the patterns occurs."""
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if any(pattern.search(line) for pattern in patterns):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    """No tracked file contains a path of somebody's machine or the host of a package registry."""
    assert [] == _lines_with(MACHINE_PATH, REGISTRY_HOST)


def test_tracked_files_cite_what_readers_can_find() -> None:
    """Sources are pages of Plivo, of RT, or of this repository, never notes that nobody else has."""
    assert [] == _lines_with(FOREIGN_PAGE)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("see /" + "work/main/x.py", True),
        ("open('/" + "home/joe/notes')", True),
        ("https://py" + "pi.org/simple", True),
        ("COPY --from=build /opt/rt-bridge /opt/rt-bridge", False),
        ("docs/work/plan.md", False),
    ],
)
def test_the_search_for_machine_paths_finds_them(line: str, expected: bool) -> None:
    """The patterns of the check above match what they should and leave ordinary paths alone."""
    assert expected == bool(MACHINE_PATH.search(line) or REGISTRY_HOST.search(line))


def test_every_decision_has_a_number_of_its_own_and_is_listed() -> None:
    """Files, headings and index of the decisions agree, and nobody took a number twice."""
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    records = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))

    numbers = [path.name[:4] for path in records]

    assert sorted(set(numbers)) == numbers
    assert [(path.name[:4], path.name) for path in records] == re.findall(
        r"^\| \[(\d{4})\]\(([^)]+)\) \|", index, re.MULTILINE
    )
    for path in records:
        assert path.read_text().startswith(f"# {int(path.name[:4])}. ")


def test_no_lock_file_of_another_tool_is_tracked() -> None:
    """Lock files that record index hosts are not part of the project."""
    names = {path.name for path in _tracked()}

    assert set() == names & {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json"}


# --- lock files -------------------------------------------------------------------------------


def _pins(lock: Path) -> dict[str, str]:
    """Map each pinned requirement of a lock file to its whole entry."""
    entries = re.split(r"\n(?=\S)", lock.read_text().strip())
    return {entry.split("==", 1)[0]: entry for entry in entries}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_files_contain_pins_and_hashes_only(lock: Path) -> None:
    """Each requirement is pinned and hashed, and no option, URL or path stands in the file."""
    pins = _pins(lock)

    loose = [
        name
        for name, entry in pins.items()
        if not re.fullmatch(
            r"[a-z0-9.-]+==\S+(?: ;[^\\\n]+)?(?: \\\n +--hash=sha256:[0-9a-f]{64})+", entry
        )
    ]
    assert pins
    assert [] == loose
    assert "://" not in lock.read_text()


def test_lock_files_cover_what_the_project_asks_for() -> None:
    """Every direct dependency is pinned in the lock file of its group."""
    project = PYPROJECT["project"]
    groups = project["optional-dependencies"]
    wanted = {
        "run.txt": project["dependencies"] + groups["speed"],
        "dev.txt": project["dependencies"] + [r for group in groups.values() for r in group],
        "build.txt": PYPROJECT["build-system"]["requires"],
    }

    missing = {
        (file, requirement)
        for file, requirements in wanted.items()
        for requirement in requirements
        if re.split(r"[\s<>=;\[]", requirement)[0] not in _pins(ROOT / "requirements" / file)
    }
    assert set() == missing


def test_lock_files_agree_with_each_other() -> None:
    """What production installs is exactly what the tests ran with."""
    tested = _pins(ROOT / "requirements" / "dev.txt")

    for lock in LOCKS:
        pins = _pins(lock)
        assert {name: tested.get(name) for name in pins} == pins


# --- the wheel --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the wheel is built from, as the container image does."""
    source = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns(*CACHES)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """Build the wheel with the locked backend and no network."""
    output = tmp_path_factory.mktemp("wheel")
    code, log = _tool("hatchling", "build", "-t", "wheel", "-d", output, cwd=source)
    assert 0 == code, log
    (built,) = output.glob("*.whl")
    return zipfile.Path(built)


def _names(wheel: zipfile.Path) -> set[str]:
    return set(wheel.root.namelist())


def test_wheel_contains_both_packages_whole(wheel: zipfile.Path, source: Path) -> None:
    """Modules, type markers and data files of bridge and mappings are all in the wheel."""
    expected = {
        path.relative_to(source).as_posix()
        for package in PACKAGES
        for path in (source / package).rglob("*")
        if path.is_file() and path.name != "ruff.toml"
    }

    assert {"bridge/py.typed", "mappings/py.typed"} <= expected
    assert set() == expected - _names(wheel)


def test_wheel_contains_nothing_else(wheel: zipfile.Path) -> None:
    """Tests, benchmarks and examples are not installed beside the packages."""
    tops = {name.split("/", 1)[0] for name in _names(wheel)}

    assert {"bridge", "mappings", "plivo_rt_bridge-0.1.0.dist-info"} == tops


def test_wheel_installs_the_command_and_the_licence(wheel: zipfile.Path) -> None:
    """The wheel declares the command rt-bridge and carries the licence text."""
    info = wheel / "plivo_rt_bridge-0.1.0.dist-info"

    assert "rt-bridge = bridge.__main__:main" in (info / "entry_points.txt").read_text()
    assert (ROOT / "LICENSE").read_text() == (info / "licenses" / "LICENSE").read_text()
    assert "Requires-Python: >=3.11" in (info / "METADATA").read_text()


def test_response_schema_is_package_data() -> None:
    """The schema that checks outgoing documents lies inside the package that uses it."""
    assert (ROOT / "bridge" / "plivo" / "response.rng").is_file()


# --- make -------------------------------------------------------------------------------------


def _make(*arguments: str) -> tuple[int, str]:
    if (make := shutil.which("make")) is None:
        pytest.skip("make is not installed")
    done = subprocess.run(
        [make, "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_make_help_lists_the_documented_targets() -> None:
    """Calling make without a target lists what it can do."""
    _, output = _make()

    listed = set(re.findall(r"make ([a-z-]+)", output))
    assert {"run", "demo", "test", "audit", "bench", "fuzz", "lock", "image"} <= listed


def test_make_says_what_is_missing_without_python(tmp_path: Path) -> None:
    """Without a suitable Python, make ends with one sentence instead of a traceback."""
    venv = tmp_path / "venv"

    code, output = _make("PATH=/nonexistent", f"VENV={venv}", f"{venv}/bin/python")

    assert 0 != code
    assert "needs Python 3.11 or newer" in output
    assert not venv.exists()


def test_ci_runs_make_test() -> None:
    """Continuous integration runs the target that developers run, and stops at the first error."""
    script = (ROOT / ".ci" / "run").read_text()

    assert "set -euo pipefail" in script
    assert "make test" in script
    assert "make audit" in script
    assert fnmatch.fnmatch(script.splitlines()[0], "#!*bash")
