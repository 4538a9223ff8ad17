"""Processes that use the lab side by side share layers, see the same addresses, leave nothing."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from lab import images, leavings, namespace, shell
from lab.errors import LabError
from lab.fixtures import FreshHost
from lab.layers import Identity
from lab.network import APPLIED, Network
from lab.place import SLOTS, Slot, cache, cards, taking
from lab.shell import alive
from support.applied import ANSWERS, FQDN, UNFILTERED, Prepared, answers


def elsewhere(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python of its own that uses the lab, as a second run of the tests beside this one."""
    env = os.environ | {"PYTHONPATH": str(Path(images.__file__).parents[1])}
    argv = [sys.executable, "-c", script, *arguments]
    pipe = subprocess.PIPE
    with namespace.outside():
        return subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, env=env)


def heard(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Give what it says when it has come so far; it goes on when its input ends."""
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(process.stdout.readline())
    return said


ONE_OF_TWO = """
import json, sys
from lab import images
from lab.host import Host
from lab.layers import Identity
from lab.network import Network

built = []

def build(host):
    built.append(host.name)
    host.put(b"common", "/etc/common")
    return Identity("mail", "mail.example.test", 300)

with Network() as network:
    layer = images.layer(images.base("trixie"), "twins", sys.argv[1], build, network)
    with Host(layer, net=network, memory=False) as host:
        found = {"addresses": [host.address, host.address6], "name": host.fqdn}
        found |= {"card": host.run("cat /sys/class/net/eth0/address").stdout}
        found |= {"file": host.get("/etc/common").decode(), "built": len(built)}
        found |= {"layer": str(layer.folders[0].parent), "folder": str(network.folder)}
        print(json.dumps(found), flush=True)
        sys.stdin.read()
        host.run("apt-get update", timeout=120)
"""


def test_two_processes_share_a_layer_and_have_the_same_addresses() -> None:
    images.base("trixie")
    key = str(time.time_ns())
    twins = [elsewhere(ONE_OF_TWO, key) for _ in range(2)]
    first, second = (heard(twin) for twin in twins)
    for twin in twins:
        twin.communicate(timeout=150)
        assert twin.returncode == 0
    assert sorted((first.pop("built"), second.pop("built"))) == [0, 1]
    folders = {first.pop("folder"), second.pop("folder")}
    assert len(folders) == 2
    assert not any(Path(folder).exists() for folder in folders)
    assert first == second
    assert first["addresses"] == ["198.18.1.44", "fd00:6d77::12c"]
    assert (first["name"], first["file"]) == ("mail.example.test", "common")
    forget(Path(first["layer"]))


def forget(layer: Path) -> None:
    shutil.rmtree(layer)
    layer.with_suffix(".lock").unlink()


def test_a_process_has_one_network(network: Network) -> None:
    with pytest.raises(LabError, match="one network"):
        Network()
    assert namespace.entered()
    with namespace.outside():
        assert not namespace.entered()
        assert network.slot.network in cards()
        with ThreadPoolExecutor(1) as pool, pytest.raises(LabError, match="main thread"):
            pool.submit(Network).result()
    assert namespace.entered()


def test_an_applied_host_has_the_address_that_it_knows(
    prepared: Prepared, network: Network, fresh_host: FreshHost
) -> None:
    fresh_host(boot=False)
    layer = prepared.applied("trixie", UNFILTERED)
    assert Prepared(prepared.internet).applied("trixie", UNFILTERED) == layer
    host = fresh_host(layer)
    assert (host.address, host.fqdn) == (network.address(APPLIED), FQDN)
    assert host.run("hostname -f").stdout == f"{FQDN}\n"
    assert host.get(ANSWERS).decode() == answers(host, UNFILTERED)


def test_layers_that_nobody_asks_for_make_room(network: Network) -> None:
    store, name = cache() / "images", f"test{network.slot.number}"
    old = [store / f"{name}-{number:012x}{end}" for number in range(2) for end in ("", ".building")]
    kept = store / f"{name}-else-{0:012x}"
    day = time.time() - 24 * 3600
    for path, when in ((old[0], day), *((path, day - images.UNUSED) for path in (*old[1:], kept))):
        (path / "upper").mkdir(parents=True)
        os.utime(path, (when, when))
    identity = Identity("a", "a.test", 301)
    base = images.base("trixie")
    made = images.layer(base, name, str(time.time_ns()), lambda _: identity, network)
    try:
        assert [path for path in (*old, kept) if path.exists()] == [old[0], kept]
        assert made.identity == identity
        assert all(path.parent.stat().st_mtime > day for path in made.folders)
    finally:
        forget(made.folders[0].parent)
        shutil.rmtree(old[0])
        shutil.rmtree(kept)


KILLED = """
import json, sys
from lab import images
from lab.host import Host
host = Host(images.base("trixie"))
print(json.dumps({"pid": host.pid, "number": host.network.slot.number}), flush=True)
sys.stdin.read()
"""


def test_what_a_killed_run_left_is_removed() -> None:
    images.base("trixie")
    killed = elsewhere(KILLED)
    pid, number = heard(killed).values()
    name = f"mwlab{number}"
    there = left_of(pid, number)
    assert {f"/run/netns/{name}", f"card {name}", f"table {name}", f"process {pid}"} <= {*there}
    its_own = Path(f"/run/netns/{name}").stat().st_ino
    killed.kill()
    killed.communicate(timeout=20)
    again = elsewhere("from lab.network import Network; Network().close()")
    again.communicate(timeout=60)
    assert again.returncode == 0
    # whoever sweeps first, its own reaper or the run after it, may be at it still
    deadline = time.monotonic() + 60
    while (left := left_of(pid, number)) and time.monotonic() < deadline:
        if is_anothers(Path(f"/run/netns/{name}"), its_own):
            return
        time.sleep(0.1)
    assert left == []


def is_anothers(network: Path, before: int) -> bool:
    """Tell whether another run has the place by now: it sweeps it first."""
    return network.exists() and network.stat().st_ino != before


def left_of(pid: int, number: int) -> list[str]:
    """Name what is still there of a machine and of the place where it ran."""
    folders = (Path("/run/netns"), *leavings.FOLDERS)
    machines, network = f"mw{number}h", f"mwlab{number}"
    found = [str(path) for folder in folders for path in folder.glob(f"{machines}*")]
    found += [str(path) for path in (folders[0] / network,) if path.exists()]
    with namespace.outside():
        tables = shell.run(["nft", "list", "tables"]).stdout.splitlines()
        found += [f"card {card}" for card in cards() if card == network]
    found += [f"table {network}" for table in tables if table.split()[-1] == network]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [line for line in mounts if f"run/{number}/" in line]
    return [*found, *([f"process {pid}"] if alive(pid) else [])]


def test_a_place_that_cannot_be_cleaned_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with taking():
        slot = next(found for number in range(SLOTS)[::-1] if (found := Slot.try_number(number)))
    in_the_way = leavings.FOLDERS[0] / f"{slot.prefix}1" / "somebody's"
    in_the_way.mkdir(parents=True)
    try:
        assert not slot.swept()
        assert f"place {slot.number} of the lab is left out" in capsys.readouterr().err
        in_the_way.rmdir()
        assert slot.swept()
    finally:
        shutil.rmtree(in_the_way.parent, ignore_errors=True)
        slot.release()
