"""Which system it is, what things are called there, and how its package manager is spoken to."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from support.recorded import RecordedHost, Written

from mailwizard.errors import HostRefused, WizardError
from mailwizard.model import Completed, Host, Platform, Tier
from mailwizard.platform import KNOWN, Distribution, detect
from mailwizard.platform.apt import Apt
from mailwizard.platform.managers import holder, installed, lock_holder, manager_of, purge

PROVEN, EXPECTED, DATA = Tier
TRIXIE = """\
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
ID=debian
HOME_URL="https://www.debian.org/"
"""
LEAP = """\
NAME="openSUSE Leap"
VERSION="15.6"
ID="opensuse-leap"
ID_LIKE="suse opensuse"
VERSION_ID="15.6"
PRETTY_NAME="openSUSE Leap 15.6"
"""
ROCKY = """\
NAME="Rocky Linux"
VERSION="10.1 (Red Quartz)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="10.1"
"""


@pytest.mark.parametrize(
    ("os_release", "name", "family", "map_type", "tier"),
    [
        (TRIXIE, "Debian 13", "debian", "hash", PROVEN),
        ("ID=debian\nVERSION_ID='12'\n", "Debian 12", "debian", "hash", PROVEN),
        ("# so\n\nID=ubuntu\nVERSION_ID=24.04", "Ubuntu 24.04", "debian", "hash", EXPECTED),
        ('ID=ubuntu\nVERSION_ID="26.04"', "Ubuntu 26.04", "debian", "hash", EXPECTED),
        ("ID=raspbian\nVERSION_ID=12", "Raspberry Pi OS 12", "debian", "hash", DATA),
        (LEAP, "openSUSE Leap 15.6", "suse", "lmdb", DATA),
        ("ID=opensuse-tumbleweed\nVERSION_ID=2026", "openSUSE Tumbleweed", "suse", "lmdb", DATA),
        (ROCKY, "Enterprise Linux 10", "el", "lmdb", DATA),
        ("ID=almalinux\nVERSION_ID=9.6", "Enterprise Linux 9", "el", "hash", DATA),
        ("ID=rhel\nVERSION_ID=9", "Enterprise Linux 9", "el", "hash", DATA),
    ],
)  # fmt: skip
def test_a_system_is_known_by_its_os_release(
    os_release: str, name: str, family: str, map_type: str, tier: Tier
) -> None:
    found = detect(os_release)
    assert (found.name, found.family, found.map_type, found.tier) == (name, family, map_type, tier)


@pytest.mark.parametrize(("version", "twin"), [("24.04", "12"), ("26.04", "13")])
def test_an_ubuntu_is_its_debian_under_another_name(version: str, twin: str) -> None:
    ubuntu, debian = (
        detect(f"ID=ubuntu\nVERSION_ID={version}"),
        detect(f"ID=debian\nVERSION_ID={twin}"),
    )
    assert (
        replace(
            debian,
            id="ubuntu",
            version=version,
            name=f"Ubuntu {version}",
            codename=ubuntu.codename,
            tier=EXPECTED,
        )
        == ubuntu
    )


@pytest.mark.parametrize(
    ("os_release", "said"),
    [
        ("ID=ubuntu\nVERSION_ID=22.04", "ubuntu"),
        ("ID=ubuntu\nVERSION_ID=25.10", "ubuntu"),
        ("", "a system without /etc/os-release"),
        ('ID=debian\nVERSION_ID=11\nPRETTY_NAME="Debian GNU/Linux 11"', "Debian GNU/Linux 11"),
        ("ID=debian\nVERSION_CODENAME=forky", "debian"),
        ("ID=arch", "arch"),
        ("ID=rocky\nVERSION_ID=100", "rocky"),
        ("ID='unclosed\nVERSION_ID=12", "unclosed"),
        ("ID_LIKE=debian\nID=linuxmint\nVERSION_ID=12", "linuxmint"),
    ],
)
def test_other_systems_are_refused_with_those_that_are_supported(
    os_release: str, said: str
) -> None:
    with pytest.raises(HostRefused) as refused:
        detect(os_release)
    assert said in refused.value.message
    assert refused.value.exit_code == 3
    assert "Supported: Debian 13, Debian 12." in refused.value.hint
    assert "Expected to work: Ubuntu 26.04, Ubuntu 24.04." in refused.value.hint
    assert "openSUSE Leap 15.6" in refused.value.hint


@pytest.mark.parametrize("platform", KNOWN, ids=lambda each: f"{each.id}-{each.version}")
def test_every_system_names_every_role(platform: Distribution) -> None:
    satisfied: Platform = platform
    model = KNOWN[0]
    assert set(platform.package_names) == set(model.package_names)
    assert set(platform.unit_names) == set(model.unit_names)
    assert set(platform.path_names) == set(model.path_names)
    assert set(platform.user_names) == set(model.user_names)
    assert all(path.startswith("/") for path in platform.path_names.values() if path)
    assert all("." in unit for unit in platform.unit_names.values() if unit)
    assert platform.map_type in {"hash", "lmdb"}
    assert "postfix" in satisfied.packages("postfix")
    assert manager_of(platform).install(["postfix"])


def test_an_unknown_role_is_a_mistake_of_ours() -> None:
    for ask in (KNOWN[0].packages, KNOWN[0].unit, KNOWN[0].path, KNOWN[0].user):
        with pytest.raises(
            LookupError, match=r"Debian 13: no .* for the role 'nonsense'"
        ) as mistake:
            ask("nonsense")
        assert not isinstance(mistake.value, KeyError)


def test_postfix_is_installed_without_questions_and_without_serving() -> None:
    seed = detect(TRIXIE).preseed("postfix")
    assert seed.debconf == ("postfix postfix/main_mailer_type select No configuration",)
    assert "inet_interfaces = loopback-only\n" in seed.files["/etc/postfix/main.cf"]
    assert seed.age > 2
    assert detect(LEAP).preseed("postfix").files == {}


LOG = """\
Selecting previously unselected package python3.13.
Selecting previously deselected package libstdc++6:amd64.
Preparing to unpack .../postfix_3.10.3-1_amd64.deb ...
Unpacking postfix (3.10.3-1) ...
Unpacking libssl3t64:amd64 (3.5.1-1) over (3.5.0-1) ...
Setting up dovecot-core (1:2.4.1+dfsg1-6) ...
"""
APT = Apt()
INSTALLED = "installed postfix\nconfig-files exim4\nnot-installed x\ninstalled dovecot-core\n"
AUDIT = """\
The following packages have been unpacked but not yet configured.
They must be configured using dpkg --configure or the configure
menu option in dselect for them to work:
 postfix              High-performance mail transport agent
 dovecot-core         secure POP3/IMAP server - core files
"""


def test_apt_asks_nobody_and_waits_for_its_lock() -> None:
    argv = APT.install(["postfix", "dovecot-imapd"])
    assert argv[:3] == ("apt-get", "-q", "-y")
    assert argv[-4:] == ("install", "--", "postfix", "dovecot-imapd")
    assert "--no-install-recommends" in argv
    for option in ("DPkg::Lock::Timeout=300", "Dpkg::Options::=--force-unsafe-io"):
        assert argv[argv.index(option) - 1] == "-o"
    assert "Acquire::Languages=none" in APT.update()
    assert "--download-only" in APT.download(["x"])
    assert APT.environment["DEBIAN_FRONTEND"] == "noninteractive"
    script, mode = APT.no_start["/usr/sbin/policy-rc.d"]
    assert script.endswith("exit 101\n")
    assert mode == 0o755


def test_what_apt_and_dpkg_say() -> None:
    assert APT.installed(INSTALLED) == {"postfix", "dovecot-core"}
    assert APT.present(f"{INSTALLED}unpacked amavisd-new\n") == {
        *("postfix", "dovecot-core", "amavisd-new")
    }
    assert APT.unpacked(LOG) == {"python3.13", "libstdc++6", "postfix", "libssl3t64"}
    assert APT.broken(AUDIT) == ("postfix", "dovecot-core")
    assert APT.broken("") == ()
    assert APT.purges("Purg postfix [3.10]\nRemv mailman3 [3.3]\nInst exim4 (4.98)\n") == {
        *("postfix", "mailman3")
    }
    assert APT.repair()[0][-2:] == ("--configure", "-a")
    assert APT.damaged("ok postfix\nreinstreq dovecot-core\n") == ("dovecot-core",)
    again, *rest = APT.repair(("dovecot-core",))
    assert {"--fix-broken", "--reinstall"} < set(again)
    assert again[-2:] == ("--", "dovecot-core")
    assert tuple(rest) == APT.repair()
    assert APT.spoiled("??5??????   /usr/sbin/postmap\n")
    assert APT.spoiled("missing     /usr/sbin/postmap\n")
    assert not APT.spoiled("??5?????? c /etc/amavis/conf.d/20\nmissing   c /etc/x\n")


@pytest.mark.parametrize("os_release", [LEAP, ROCKY])
def test_the_others_ask_nobody_either(os_release: str) -> None:
    manager = manager_of(detect(os_release))
    assert {"--non-interactive", "--assumeyes"} & set(manager.install(["x"]))
    assert {"--non-interactive", "--assumeyes"} & set(manager.purge(["x"]))
    assert manager.download(["x"])[-2:] == ("--", "x")
    assert manager.installed("postfix\ngpg-pubkey\n") == {"postfix"}
    assert manager.present("postfix\ngpg-pubkey\n") == {"postfix"}
    assert manager.unpacked(LOG) == frozenset()
    assert manager.broken("") == ()
    assert manager.no_start == {}
    needed = "\tpostfix is needed by (installed) mailman-web-0.9-1.noarch\n"
    assert manager.purges(f"error: Failed dependencies:\n{needed}") == {"mailman-web"}


LOCKS = """\
1: POSIX  ADVISORY  READ  401 fd:00:1311 128 128
2: POSIX  ADVISORY  WRITE 812 fd:00:1312 0 EOF
2: -> POSIX  ADVISORY  WRITE 900 fd:00:1313 0 EOF
3: FLOCK  ADVISORY  WRITE 77 00:19:5 0 EOF
"""


def test_who_holds_a_lock() -> None:
    assert holder(LOCKS, ["1312"]) == 812
    assert holder(LOCKS, ["1313"]) == 0
    assert holder(LOCKS, []) == 0
    assert holder("nonsense\n", ["1"]) == 0


def test_the_holder_is_named() -> None:
    host = RecordedHost(
        files={"/proc/locks": Written(LOCKS.encode()), "/proc/812/comm": Written(b"apt-get\n")},
        answers={f"stat -c %i -- {' '.join(APT.lock_files)}": Completed((), 1, "1400\n1312\n")},
    )
    assert lock_holder(host) == (812, "apt-get")
    assert lock_holder(RecordedHost()) is None
    leap = RecordedHost(
        detect(LEAP),
        files={"/run/zypp.pid": Written(b"55\n"), "/proc/55/comm": Written(b"zypper\n")},
    )
    assert lock_holder(leap) == (55, "zypper")


def test_packages_are_listed_and_removed() -> None:
    host = RecordedHost(
        answers={
            "dpkg-query -W -f '${db:Status-Status} ${Package}\\n'": Completed((), 0, INSTALLED)
        }
    )
    assert installed(host) == {"postfix", "dovecot-core"}
    satisfied: Host = host
    purge(satisfied, ["postfix"])
    assert host.ran[0][-3:] == ("purge", "--", "postfix")


def test_no_package_goes_that_others_installed_on_top_of_ours() -> None:
    host = RecordedHost()
    tried = shlex.join(APT.purge_tried(["postfix"]))
    host.answers[tried] = Completed((), 0, "Purg mailman3 [3.3]\nPurg postfix [3.10]\n")
    with pytest.raises(WizardError, match="without them mailman3 would have to go"):
        purge(host, ["postfix"])
    assert not host.ran
