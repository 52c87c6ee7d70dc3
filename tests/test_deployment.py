"""Promises about deployment: the container image, the Compose file and the Kubernetes manifest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.settings import Settings, layout
from bridge.settings_sources import CONFIG_VARIABLE, variable

ROOT = Path(__file__).resolve().parent.parent

# --- the image --------------------------------------------------------------------------------

Instruction = tuple[str, str]


def _dockerfile() -> list[list[Instruction]]:
    """Split the Dockerfile into stages of (instruction, arguments)."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    stages: list[list[Instruction]] = []
    for line in joined.splitlines():
        word, _, arguments = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, arguments.strip()))
    return stages


def _arguments(stage: list[Instruction], word: str) -> list[str]:
    return [arguments for instruction, arguments in stage if instruction == word]


def test_dockerfile_has_known_instructions_only() -> None:
    """Every line of the Dockerfile is an instruction, and none fetches from a URL."""
    known = {
        "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK",
        "LABEL", "RUN", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    }  # fmt: skip

    assert set() == {word for stage in _dockerfile() for word, _ in stage} - known


def test_image_is_built_in_two_stages_on_one_base() -> None:
    """The final stage takes nothing from the sources, only the finished environment."""
    build, final = _dockerfile()

    assert ["python:3.13-slim AS build"] == _arguments(build, "FROM")
    assert ["python:3.13-slim"] == _arguments(final, "FROM")
    assert ["--from=build /opt/rt-bridge /opt/rt-bridge"] == _arguments(final, "COPY")


def test_image_installs_hashed_requirements_only() -> None:
    """Each pip install of the image is either checked by hash or offline."""
    build, final = _dockerfile()
    commands = [part for run in _arguments(build, "RUN") for part in run.split("&&")]
    installs = [part for part in commands if "pip install" in part]

    unchecked = [p for p in installs if "--require-hashes" not in p and "--no-index" not in p]
    assert 3 == len(installs)
    assert [] == unchecked
    assert [] == [run for run in _arguments(final, "RUN") if "pip" in run]


def test_image_runs_the_bridge_without_privileges() -> None:
    """The image starts rt-bridge serve as a numeric user other than root and checks its health."""
    _, final = _dockerfile()
    (user,) = _arguments(final, "USER")
    (health,) = _arguments(final, "HEALTHCHECK")
    words = [word for word, _ in final]

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert ['["rt-bridge"]'] == _arguments(final, "ENTRYPOINT")
    assert ['["serve"]'] == _arguments(final, "CMD")
    assert health.endswith('CMD ["rt-bridge", "healthcheck"]')
    assert ["8080 8081"] == _arguments(final, "EXPOSE")
    assert words.index("USER") > max(i for i, word in enumerate(words) if word == "RUN")


def test_image_keeps_the_admin_listener_on_loopback() -> None:
    """The image opens the Plivo listener and leaves the admin listener at its default."""
    _, final = _dockerfile()
    environment = " ".join(_arguments(final, "ENV"))

    assert "BRIDGE_LISTEN=0.0.0.0:8080" in environment
    assert "BRIDGE_ADMIN_LISTEN" not in environment


def test_build_context_admits_what_the_image_copies() -> None:
    """Everything copied from the context exists, is let in by .dockerignore, and nothing else is."""
    build, _ = _dockerfile()
    copied = {name for copy in _arguments(build, "COPY") for name in copy.split()[:-1]}
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    admitted = {rule[1:] for rule in rules if rule.startswith("!")}

    assert "*" in rules
    assert copied == admitted
    assert [] == [name for name in sorted(copied) if not (ROOT / name).exists()]


def _copy(stage: list[Instruction], to: Path) -> None:
    for names in _arguments(stage, "COPY"):
        *sources, target = names.split()
        for name in sources:
            place = to / target if (ROOT / name).is_dir() else to / target / Path(name).name
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, place)


@pytest.mark.slow
def test_build_stage_makes_an_environment_that_runs(tmp_path: Path) -> None:
    """The commands of the build stage, run below another root, install rt-bridge without pip."""
    if (bash := shutil.which("bash")) is None:
        pytest.skip("the commands of the image need a shell")
    build, _ = _dockerfile()
    source = tmp_path / "src"
    _copy(build, source)
    # The environment of the tests must not lend its packages to the one that is built.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    environment["PIP_RETRIES"] = "1"
    for command in _arguments(build, "RUN"):
        below = re.sub(r"(?<![\w.])/(?=(?:opt|dist)\b)", f"{tmp_path}/", command)
        done = subprocess.run(
            [bash, "-euc", below],
            cwd=source,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        output = done.stdout + done.stderr
        if done.returncode and "Retrying (" in output:
            pytest.skip("the requirements of the image need a package index that answers")
        assert 0 == done.returncode, output
    bin_folder = tmp_path / "opt" / "rt-bridge" / "bin"
    shown = subprocess.run(
        [bin_folder / "rt-bridge", "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (0, "") == (shown.returncode, shown.stderr)
    assert "serve" in shown.stdout
    assert not (bin_folder / "pip").exists()


# --- deployment files -------------------------------------------------------------------------


def test_every_file_names_the_image_of_this_version() -> None:
    """The image made here and the image run by Compose and Kubernetes carry the project's version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    built = re.findall(r"^IMAGE \?= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    run = {
        image
        for name in ("compose.yaml", "kubernetes.yaml")
        for image in re.findall(
            r"image: (plivo-rt-bridge\S*)", (ROOT / "deploy" / name).read_text()
        )
    }

    assert [f"{project['name']}:{project['version']}"] == built
    assert set(built) == run


def _documents(name: str) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all((ROOT / "deploy" / name).read_text()) if d]


def _settings() -> set[str]:
    """Name every environment variable that the settings accept."""
    names = layout()
    files = {f"{key}_file" for key in names.flat if key in names.secrets}
    return {CONFIG_VARIABLE} | {variable(key) for key in files | {"app_hash"} | set(names.flat)}


@pytest.mark.parametrize(
    "file", ["Dockerfile", "deploy/compose.yaml", "deploy/kubernetes.yaml", "docs/deploy.md"]
)
def test_deployment_files_name_existing_settings(file: str) -> None:
    """Every BRIDGE_ variable in the deployment files is one the bridge accepts."""
    text = (ROOT / file).read_text()
    used = set(re.findall(r"\bBRIDGE_[A-Z_]+[A-Z]\b", text))

    assert used
    assert set() == used - _settings()


def test_compose_passes_secrets_as_files() -> None:
    """The Compose file hands every secret over as a mounted file, never as a variable."""
    (compose,) = _documents("compose.yaml")
    bridge = compose["services"]["bridge"]
    plain = [name for name in bridge["environment"] if re.search(r"(TOKEN|PASSWORD|KEYS)$", name)]
    mounted = {f"/run/secrets/{name}" for name in bridge["secrets"]}
    files = {v for k, v in bridge["environment"].items() if k.endswith("_FILE")}

    assert [] == plain
    assert mounted == files
    assert set(bridge["secrets"]) <= set(compose["secrets"])


def test_compose_runs_an_example_that_exists() -> None:
    """The app beside the bridge is a file of the mounted folder, on the port the bridge calls."""
    (compose,) = _documents("compose.yaml")
    app = compose["services"]["app"]
    source, target, _ = app["volumes"][0].split(":")
    _, script, *options = app["entrypoint"]

    file = ROOT / "deploy" / source / Path(script).relative_to(target)
    url = compose["services"]["bridge"]["environment"]["BRIDGE_APP_URL"]
    assert file.is_file()
    assert f"http://app:{options[options.index('--port') + 1]}/" == url


def test_compose_keeps_the_store_in_a_volume() -> None:
    """The SQLite file of the Compose deployment lies in a declared volume."""
    (compose,) = _documents("compose.yaml")
    bridge = compose["services"]["bridge"]
    volume, _, target = bridge["volumes"][0].partition(":")

    assert volume in compose["volumes"]
    assert bridge["environment"]["BRIDGE_STORE"].startswith(f"sqlite:///{target}/")


def _deployment() -> dict[str, Any]:
    return next(d for d in _documents("kubernetes.yaml") if d["kind"] == "Deployment")


def test_kubernetes_runs_the_bridge_as_a_native_sidecar() -> None:
    """The bridge is an init container that keeps running, so it starts before and stops after the app."""
    pod = _deployment()["spec"]["template"]["spec"]
    (bridge,) = pod["initContainers"]

    assert "Always" == bridge["restartPolicy"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(bridge)
    assert pod["securityContext"]["runAsNonRoot"]
    assert ["app"] == [container["name"] for container in pod["containers"]]


def test_kubernetes_probes_reach_the_admin_listener() -> None:
    """Probes ask for life and readiness on the port that the manifest opens to the kubelet."""
    (bridge,) = _deployment()["spec"]["template"]["spec"]["initContainers"]
    asked = {
        name: (probe["path"], probe["port"])
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
        if (probe := bridge[name]["httpGet"])
    }
    environment = {e["name"]: e["value"] for e in bridge["env"]}
    ports = {port["name"]: port["containerPort"] for port in bridge["ports"]}

    assert {
        "startupProbe": ("/healthz", "admin"),
        "livenessProbe": ("/healthz", "admin"),
        "readinessProbe": ("/readyz?process", "admin"),
    } == asked
    assert f"0.0.0.0:{ports['admin']}" == environment["BRIDGE_ADMIN_LISTEN"]


def test_kubernetes_reads_secrets_by_reference() -> None:
    """No secret value stands in the manifest; a Secret made elsewhere is mounted as files."""
    kinds = {document["kind"] for document in _documents("kubernetes.yaml")}
    pod = _deployment()["spec"]["template"]["spec"]
    (bridge,) = pod["initContainers"]
    secret = [v["name"] for v in pod["volumes"] if "secret" in v]
    mounts = {m["name"]: m["mountPath"] for m in bridge["volumeMounts"]}
    files = [e["value"] for e in bridge["env"] if e["name"].endswith("_FILE")]

    assert "Secret" not in kinds
    assert [] == [e for e in bridge["env"] if re.search(r"(TOKEN|PASSWORD|KEYS)$", e["name"])]
    assert files
    assert all(path.startswith(f"{mounts[secret[0]]}/") for path in files)


def test_kubernetes_runs_one_process_per_sqlite_file() -> None:
    """The Deployment has one replica and never runs two at once while it is replaced."""
    spec = _deployment()["spec"]

    assert 1 == spec["replicas"]
    assert "Recreate" == spec["strategy"]["type"]


def _longest_stop_s() -> float:
    """Give how long a bridge with default settings may take to stop, in s."""
    fields = Settings.model_fields
    return float(fields["drain_s"].default + fields["shutdown_grace_s"].default)


def test_compose_and_systemd_grant_the_time_to_stop() -> None:
    """A container and a service are killed no earlier than 5 s after a bridge could be gone."""
    (compose,) = _documents("compose.yaml")
    page = (ROOT / "docs" / "deploy.md").read_text()
    (systemd,) = re.findall(r"^ +TimeoutStopSec=(\d+)$", page, re.MULTILINE)
    (advised,) = re.findall(r"with the defaults at least (\d+) s", page)

    granted = compose["services"]["bridge"]["stop_grace_period"].removesuffix("s")
    assert int(granted) >= _longest_stop_s() + 5
    assert int(systemd) >= _longest_stop_s() + 5
    assert int(advised) == _longest_stop_s() + 5


def test_kubernetes_grants_the_time_to_stop() -> None:
    """The Pod is killed no earlier than 5 s after app and bridge, one after the other, could be gone."""
    pod = _deployment()["spec"]["template"]["spec"]
    (app,) = pod["containers"]
    told_s = app["lifecycle"]["preStop"]["sleep"]["seconds"]
    app_s = 10

    assert told_s >= Settings.model_fields["drain_s"].default
    assert pod["terminationGracePeriodSeconds"] >= told_s + app_s + _longest_stop_s() + 5


def test_kubernetes_service_reaches_the_plivo_listener_only() -> None:
    """The Service exposes the Plivo port of the bridge and not its admin port."""
    service = next(d for d in _documents("kubernetes.yaml") if d["kind"] == "Service")
    (bridge,) = _deployment()["spec"]["template"]["spec"]["initContainers"]
    ports = {port["name"]: port["containerPort"] for port in bridge["ports"]}

    assert ["plivo"] == [port["targetPort"] for port in service["spec"]["ports"]]
    assert 8080 == ports["plivo"]
