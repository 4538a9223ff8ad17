"""Base systems and layers on them, each built once and kept until what it is made from changes."""

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from lab import namespace, shell, surroundings
from lab.host import Host
from lab.layers import Identity, Layer
from lab.network import Network
from lab.place import cache, locked, require

SUITES = ("trixie", "bookworm")
MINIMAL = (
    "systemd,systemd-sysv,dbus,iproute2,netbase,ca-certificates,procps"  # and no Python on purpose
)
# Those that nobody asked for in this time make room when a new one of the same name is built.
UNUSED = 2 * 24 * 3600
# A run proves passwords many thousand times, which took a fifth of it: here the same hash is made
# at the least cost that there is (pam_unix(8), rounds).
CHEAP_HASHES = (
    "sed -i '/pam_unix.so/s/ yescrypt$/ yescrypt rounds=3/' \"$1/usr/share/pam-configs/unix\""
    ' && chroot "$1" pam-auth-update --force --package'
)


def base(suite: str) -> Layer:
    """Give a minimal install of a Debian release as its installer leaves it, with cheap hashes."""
    require()
    key = hashlib.sha256(f"{suite} {MINIMAL} {CHEAP_HASHES}".encode()).hexdigest()[:12]
    folder = cache() / "images" / f"{suite}-{key}"
    with locked(cache() / "images" / f"{suite}.lock"):
        if not folder.is_dir():
            _bootstrap(suite, folder)
    return Layer(suite, (folder / "upper",), suite)


def _bootstrap(suite: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        root = Path(scratch, "image", "upper")
        root.mkdir(parents=True)
        root.parent.chmod(0o755)
        options = [f"--aptopt={line}" for line in surroundings.apt_options()]
        options += [f"--include={MINIMAL}", f"--customize-hook={CHEAP_HASHES}"]
        argv = ["mmdebstrap", "--variant=minbase", *options, suite]
        packed = Path(scratch, "root.tar")
        with namespace.outside():
            shell.run([*argv, str(packed)], timeout=900)
        shell.run(["tar", "-C", str(root), "--xattrs", "--xattrs-include=*", "-xpf", str(packed)])
        (root / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
        (root / "etc/resolv.conf").chmod(0o644)
        (root / "etc/hostname").chmod(0o644)
        root.parent.rename(folder)


def layer(
    parent: Layer,
    name: str,
    key: str,
    build: Callable[[Host], Identity | None],
    net: Network | None = None,
) -> Layer:
    """Give a layer that `build` made by working in a host; the same key gives the same layer.

    Whoever asks first builds it, others wait; what `build` says the host calls itself is kept.
    """
    below = "\n".join(map(str, parent.folders))
    digest = hashlib.sha256(f"{below}\n{key}".encode()).hexdigest()[:12]
    folder = cache() / "images" / f"{name}-{digest}"
    with locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            _forget_unused(name)
            _build(parent, folder, build, net)
    known = folder / "identity"
    identity = Identity(**json.loads(known.read_text())) if known.exists() else None
    made = parent.above(folder / "upper", name, identity)
    # with those below it: none may go before what stands on it
    for used in made.folders:
        os.utime(used.parent)
    return made


def _build(
    parent: Layer, folder: Path, build: Callable[[Host], Identity | None], net: Network | None
) -> None:
    # made in memory, where to flush a file costs nothing: dpkg, Postfix and the program do it often
    with Host(parent, net=net) as host:
        identity = build(host)
        host.fork()
    store = folder.with_suffix(".building")
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir()
    shell.run(["cp", "-a", str(host.folder / "upper"), str(store)], timeout=300)
    shutil.rmtree(host.folder)
    if identity:
        (store / "identity").write_text(json.dumps(asdict(identity)))
    store.rename(folder)


def _forget_unused(name: str) -> None:
    ours = re.compile(rf"{re.escape(name)}-[0-9a-f]{{12}}(\.lock|\.building)?")
    for path in (cache() / "images").iterdir():
        # another process may be at it too
        with suppress(FileNotFoundError):
            if ours.fullmatch(path.name) and time.time() - path.stat().st_mtime > UNUSED:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
