"""What is shipped, what a start loads, and what the launcher does before there is a Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"mailwizard": "wizard", "mailwizard.steps": "steps", "mailwizard.templates": "templates"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LAUNCHER_NEEDS = ("sh", "dirname", "readlink", "id", "cat", "sha256sum", "cut", "sed")


def _shipped_sources() -> set[str]:
    """Name every source and data file as it must stand in the wheel."""
    return {
        f"{package.replace('.', '/')}/{path.relative_to(ROOT / folder)}"
        for package, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the sources, because building a wheel leaves folders beside them."""
    copy = tmp_path_factory.mktemp("checkout")
    unwanted = shutil.ignore_patterns("__pycache__")
    for folder in FOLDERS.values():
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=unwanted)
    for name in ("mailwizard", "pyproject.toml", "requirements.txt", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / ".package", copy / ".package", symlinks=True)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the wheel without the network and list its files."""
    source = shutil.copytree(checkout, tmp_path_factory.mktemp("wheel") / "source", symlinks=True)
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    made = subprocess.run(
        [sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    (archive,) = source.parent.glob("*.whl")
    return set(zipfile.ZipFile(archive).namelist())


def test_the_wheel_has_every_source_and_data_file(wheel: set[str]) -> None:
    assert _shipped_sources() - wheel == set()


def test_the_wheel_has_one_top_level_name(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel if ".dist-info/" not in name}
    assert tops == {"mailwizard"}


def test_every_requirement_is_pinned_and_hashed() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:", lines, re.MULTILINE))
    wanted = (
        re.match(r"([a-z0-9-]+)(?:\[.*\])?==(.+)", entry)
        for entry in PROJECT["project"]["dependencies"]
    )
    assert all(match is not None and pins.get(match[1]) == match[2] for match in wanted)
    assert len(pins) == len(re.findall(r"^[a-z]", lines, re.MULTILINE))
    assert not re.search(r"^--|://", lines, re.MULTILINE)


def test_help_loads_no_face_and_no_resolver() -> None:
    script = """
import json, sys
sys.argv = ["mailwizard", "--help"]
from mailwizard.cli import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT / ".package")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(run.stdout.splitlines()[-1]))
    assert "mailwizard" in loaded
    assert loaded & {"textual", "questionary", "prompt_toolkit", "rich", "dns"} == set()
    assert loaded & {"wizard", "steps", "templates"} == set()


def _launch(checkout: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher where no environment exists and PATH offers only what every host has."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in LAUNCHER_NEEDS:
        (tools / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is missing"))
    environment = {"PATH": str(tools), "HOME": str(tmp_path / "home")}
    command = [str(checkout / "mailwizard"), *arguments]
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("apply", "--help")])
def test_help_needs_no_environment(
    checkout: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    run = _launch(checkout, tmp_path, *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == (ROOT / "wizard/usage.txt").read_text(encoding="utf-8")
    assert not (tmp_path / "home").exists()


def test_version_needs_no_environment(checkout: Path, tmp_path: Path) -> None:
    run = _launch(checkout, tmp_path, "--version")
    assert (run.returncode, run.stdout) == (0, f"mailwizard {PROJECT['project']['version']}\n")


def test_the_launcher_is_sound_shell() -> None:
    subprocess.run(["sh", "-n", str(ROOT / "mailwizard")], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(ROOT / "mailwizard")], check=True)


def test_the_usage_fits_a_small_terminal() -> None:
    lines = (ROOT / "wizard/usage.txt").read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 80
