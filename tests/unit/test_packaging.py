"""What is shipped, what a start loads, and what the launcher does before there is a Python."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from support import single

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"mailwizard": "wizard", "mailwizard.steps": "steps", "mailwizard.templates": "templates"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LAUNCHER_NEEDS = ("sh", "readlink", "id", "cat", "sha256sum", "grep", "sed")
SINGLE_NEEDS = (*LAUNCHER_NEEDS, "tail", "tar", "gzip")
# a package with a licence, what pip notes down, and a machine's own code
TINY = {
    "tiny/__init__.py": "",
    "tiny/_speed.so": "not for every machine",
    "tiny-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n",
    "tiny-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.dist-info/RECORD": "",
    "tiny-1.dist-info/licenses/LICENSE": "do what you like",
}


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
    return single.copied(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def tiny(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the single file with one small package, which lies here: no index is asked."""
    folder = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(folder / "tiny-1-py3-none-any.whl", "w") as wheel:
        for name, text in TINY.items():
            wheel.writestr(name, text)
    digest = hashlib.sha256((folder / "tiny-1-py3-none-any.whl").read_bytes()).hexdigest()
    source = single.copied(tmp_path_factory.mktemp("single"))
    (source / "requirements.txt").write_text(f"tiny==1 --hash=sha256:{digest}\n")
    made = single.build(source, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))
    assert made.returncode == 0, made.stderr
    first = (source / "dist/mailwizard").read_bytes()
    made = single.build(source, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))
    assert (source / "dist/mailwizard").read_bytes() == first, "not the same bytes again"
    (source / "requirements.txt").write_text(f"tiny==1 --hash=sha256:{'0' * 64}\n")
    wrong = single.build(source, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))
    assert wrong.returncode != 0
    assert (source / "dist/mailwizard").read_bytes() == first
    return source / "dist/mailwizard"


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


def test_the_single_file_has_every_source_and_no_machine_code(tiny: Path) -> None:
    begins = re.search(rb"^begins=(\d+)$", tiny.read_bytes(), re.MULTILINE)
    assert begins
    behind = BytesIO(tiny.read_bytes()[int(begins[1]) - 1 :])
    with tarfile.open(fileobj=behind, mode="r:gz") as archive:
        names = {entry.name for entry in archive if entry.isfile()}
        assert {(entry.uid, entry.gid) for entry in archive} == {(0, 0)}
    assert {f"program/{name}" for name in _shipped_sources()} - names == set()
    kept = {f"packages/{name}" for name in TINY if not name.endswith((".so", "RECORD", "WHEEL"))}
    assert {name for name in names if name.startswith("packages/")} == kept


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_the_single_file_says_what_it_is_without_an_environment(
    tiny: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    elsewhere = Path(shutil.copy(tiny, tmp_path / "another name"))
    run = _launch(elsewhere, tmp_path, *arguments, tools=SINGLE_NEEDS)
    usage = (ROOT / "wizard/usage.txt").read_text(encoding="utf-8")
    said = usage if arguments == ("--help",) else f"mailwizard {PROJECT['project']['version']}\n"
    assert (run.returncode, run.stdout, run.stderr) == (0, said, "")
    assert not (tmp_path / "home").exists()


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


def _launch(
    launcher: Path, tmp_path: Path, *arguments: str, tools: Sequence[str] = LAUNCHER_NEEDS
) -> subprocess.CompletedProcess[str]:
    """Run the launcher where no environment exists and PATH offers only what every host has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in tools:
        (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is missing"))
    environment = {"PATH": str(folder), "HOME": str(tmp_path / "home")}
    command = [str(launcher), *arguments]
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
    run = _launch(checkout / "mailwizard", tmp_path, *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == (ROOT / "wizard/usage.txt").read_text(encoding="utf-8")
    assert not (tmp_path / "home").exists()


def test_version_needs_no_environment(checkout: Path, tmp_path: Path) -> None:
    run = _launch(checkout / "mailwizard", tmp_path, "--version")
    assert (run.returncode, run.stdout) == (0, f"mailwizard {PROJECT['project']['version']}\n")


@pytest.mark.parametrize("name", ["mailwizard", "release/build"])
def test_the_shell_is_sound(name: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / name)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(ROOT / name)], check=True)


def test_the_usage_fits_a_small_terminal() -> None:
    lines = (ROOT / "wizard/usage.txt").read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 80
