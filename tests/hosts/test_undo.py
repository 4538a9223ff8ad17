"""Undo puts back what was there, whatever that was (R15), and works on a broken host (R16).

Compared as a whole: names, bytes, modes, owners, times, links and extended attributes of /etc, the
kernel's host name, debconf's answers, the units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from lab import tree
from lab.fixtures import FreshHost
from lab.host import Host
from lab.images import SUITES
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, FOR_SPAM, LAUNCHER, LOGIN, PASSWORD, PYTHON, Prepared
from support.bare import inside, launched, put_checkout
from support.kept import Ended, Keeper, Warm, Whole, whole

from mailwizard.steps import STEPS as HOWTO

STEPS = tuple(step.id for step in HOWTO if not step.optional or step.proposed or step.id == "relay")
# what many of these are about is over after them
EARLY = ("hostname", "postfix", "aliases")
UNTIL_FILTER = STEPS[: STEPS.index("amavis")]
NEEDS = {step.id: set(step.needs) for step in HOWTO}
MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
CANONICAL = "/etc/postfix/sender_canonical"
DOVECOT = "/etc/dovecot/dovecot.conf"
# What a removal leaves: accounts and their backups, the key pair that ssl-cert makes, what ldconfig
# keeps, the aliases, which Debian's own packages leave as well, and Dovecot's own files as they
# were shipped: its package asks ucf about them, which goes in the same transaction.
LEFT = (
    *("/etc/passwd*", "/etc/group*", "/etc/shadow*", "/etc/gshadow*", "/etc/sub?id*"),
    *("/etc/ld.so.cache", "/etc/ssl/certs*", "/etc/ssl/private*", "/etc/.pwd.lock"),
    *("/etc/aliases", "/etc/aliases.db", "/etc/dovecot*"),
)

# something that others have installed since, and that needs a package of ours
THEIRS = """
mkdir -p /root/theirs/DEBIAN && cd /root
printf '%s\\n' 'Package: theirs' 'Version: 1' 'Architecture: all' 'Maintainer: a <a@b.test>' \\
  'Depends: postfix' 'Description: theirs' >theirs/DEBIAN/control
dpkg-deb -b theirs && dpkg -i theirs.deb && rm -r theirs theirs.deb
"""
# what the full screen does once it was asked to
PURGE = """
import sys
from mailwizard import platform
from mailwizard.host import LocalHost
from mailwizard.platform.managers import purge
purge(LocalHost(platform.here(), "/var/lib/mailwizard"), sys.argv[1:])
"""

# one worker has them all, one after the other on the same host
suite = suites.one_host_each("undo")


def assert_as(host: Host, before: Whole, *, but: dict[str, str] | None = None) -> None:
    files, rest = whole(host)
    found = tree.diff(before[0], files)
    assert found.items() <= (but or {}).items(), found
    assert rest == before[1]


def apply(run: Warm, *steps: str) -> Ended:
    """The steps, without their probes."""
    return run("apply", "-a", ANSWERS, "--yes", *steps)


def undo(run: Warm, *steps: str) -> Ended:
    return run("undo", *(steps or ["--all"]), "--yes", probes=True)


@pytest.fixture(scope="module")
def keeper(prepared: Prepared, suite: str) -> Iterator[Keeper]:
    def make() -> Host:
        host = Host(prepared.ready(suite), net=prepared.internet.network)
        put_checkout(host)
        return host

    kept = Keeper(make)
    yield kept
    kept.close()


def built_on(step: str) -> set[str]:
    """The steps that cannot stay when this one goes."""
    gone = {step}
    for other in STEPS:
        if NEEDS[other] & gone:
            gone.add(other)
    return gone - {step}


@suites.both_releases
def test_every_prefix_and_every_single_step(keeper: Keeper, suite: str) -> None:
    with keeper.lent() as (host, run):
        moments, times = [whole(host)], dict[str, str]()
        for step in STEPS:
            assert apply(run, step).code == 0
            moments.append(whole(host))
        for place, step in reversed(list(enumerate(STEPS))):
            # every other one goes while those after it stand; the other release has the rest
            alone = place % 2 == SUITES.index(suite)
            others = set(STEPS[place + 1 :]) if alone else set[str]()
            if others:
                assert apply(run).code == 0
                # they wrote the same files too: from now on no time of before is the right one
                times = dict.fromkeys((MAIN, MASTER), "changed: mtime_ns")
            done = undo(run, step)
            assert done.code == 0, done
            # it takes those with it that were built on it
            told = re.search("undone with them: (.*)$", done.said, re.MULTILINE)
            gone = built_on(step) & others
            assert set(told[1].split(", ") if told else []) == gone
            for other in others - gone:
                assert undo(run, other).code == 0
            assert_as(host, moments[place], but=times)
        assert apply(run).code == 0
        assert undo(run).code == 0
        assert_as(host, moments[0], but=times)
        assert undo(run).code == 0, "a second undo has nothing to do"
        assert_as(host, moments[0], but=times)
        assert host.exists("/home/carol"), "nobody's mail is removed"


def test_an_account_goes_though_somebody_reads_its_mail(keeper: Keeper) -> None:
    with keeper.lent() as (host, run):
        before = whole(host)
        assert apply(run, *UNTIL_FILTER).code == 0
        typed = f"printf 'a LOGIN {LOGIN} \"{PASSWORD}\"\\r\\nb SELECT INBOX\\r\\n'; sleep 60"
        reader = host.popen(f"({typed}) | openssl s_client -quiet -connect 127.0.0.1:993")
        host.run(f"until pgrep -u {LOGIN} -x imap; do sleep 0.1; done", timeout=20)
        done = undo(run)
        assert done.code == 0, done
        assert_as(host, before)
        reader.kill()
        reader.communicate()


UNUSUAL: dict[str, str] = {
    "main.cf for root alone": f"chmod 0600 {MAIN}",
    "main.cf of another group": f"chgrp mail {MAIN}; chmod 0640 {MAIN}",
    "main.cf elsewhere": f"mkdir /etc/kept; mv {MAIN} /etc/kept/m; ln -s ../kept/m {MAIN}",
    "main.cf over two links": f"mkdir /etc/k; mv {MAIN} /etc/k/m; ln -s m /etc/k/n; "
    f"ln -s /etc/k/n {MAIN}",
    "aliases by hand": "printf '# ours\\r\\nfax: |/bin/fax\\r\\n\\r\\nRoot: bob,\\r\\n  alice\\r\\n"
    "# end' >/etc/aliases; chmod 0664 /etc/aliases; postalias hash:/etc/aliases",
    "aliases never compiled": "rm -f /etc/aliases.db",
    "senders by hand": f"echo 'bob  robert@example.org' >{CANONICAL}; chmod 0640 {CANONICAL}; "
    f"postmap hash:{CANONICAL}",
    "extended attributes": "python3 -c \"import os; os.setxattr('/etc/hosts', 'user.note', b'x')\"",
    "postfix not running": "systemctl disable --now postfix",
    "another mail name": "echo other.example >/etc/mailname; chmod 0600 /etc/mailname",
    "the account is there": f"useradd -m {LOGIN}; echo {LOGIN}:theirs | chpasswd",
    "submission by hand": "postconf -M 'submission/inet=submission inet n - n - - smtpd' && "
    "postconf -P 'submission/inet/smtpd_tls_security_level=encrypt'",
    "tables by hand": "cd /etc/postfix; echo '[old.test]:25 a:b' >sasl_passwd; echo 'x y' "
    ">sender_login; chmod 0640 sasl_passwd; postmap hash:sasl_passwd; chgrp mail sender_login",
    "Dovecot elsewhere": "mkdir /etc/kept; mv /etc/dovecot/conf.d /etc/kept/d; "
    "ln -s ../kept/d /etc/dovecot/conf.d; echo '# x' >/etc/kept/d/99-mailwizard.conf",
    "an authority of before": "mkdir -m 0750 /etc/ssl/mailwizard; cd /etc/ssl/mailwizard; "
    "echo x >mail.key; chmod 0644 mail.key; echo y >old.pem; ln -s old.pem fullchain.pem",
    "Dovecot not running": "systemctl disable --now dovecot",
    "milters by hand": "mkdir /etc/kept; mv /etc/opendkim.conf /etc/kept/o; ln -s kept/o "
    "/etc/opendkim.conf; cd /etc; echo '# x' >>opendmarc.conf; chgrp opendmarc opendmarc.conf; "
    "chmod 0640 opendmarc.conf; "
    "systemctl disable --now opendmarc; mkdir -p /etc/mailwizard/dkim; "
    "echo old >/etc/mailwizard/dkim/old.pem",
}
LATE = list(UNUSUAL)[10:]


@pytest.mark.parametrize("what", UNUSUAL)
def test_unusual_hosts_are_put_back_exactly(keeper: Keeper, what: str) -> None:
    with keeper.lent() as (host, run):
        host.run(UNUSUAL[what])
        before = whole(host)
        steps = () if what == "milters by hand" else UNTIL_FILTER if what in LATE else EARLY
        done = apply(run, *steps)
        assert done.code == 0, done.said[-2000:]
        assert host.run(["stat", "-c%a %U", "-L", MAIN]).stdout.split() == mode_of(before, host)
        if what == "an authority of before":
            assert host.run("stat -c %a /etc/ssl/mailwizard/*.key").stdout.split() == ["600", "600"]
        if what == "aliases by hand":
            aliases = host.get("/etc/aliases")
            assert aliases.startswith(b"# ours\r\nfax: |/bin/fax\r\n\r\n")
            assert b"# end\n" in aliases
        undone = undo(run)
        assert undone.code == 0, undone
        assert_as(host, before)


def mode_of(before: Whole, host: Host) -> list[str]:
    """What main.cf, or what it is a link to, was like before."""
    place = host.run(["readlink", "-f", MAIN]).stdout.strip()
    entry = before[0][place]
    owner = host.run(["getent", "passwd", str(entry.uid)]).stdout.partition(":")[0]
    return [f"{entry.mode:o}", owner]


FLAGS = """
import fcntl, struct, sys
get, put, immutable = 0x80086601, 0x40086602, 0x10  # linux/fs.h, FS_IOC_GETFLAGS
file = open(sys.argv[2], "rb")
flags, = struct.unpack("l", fcntl.ioctl(file, get, struct.pack("l", 0)))
flags = flags | immutable if sys.argv[1] == "+i" else flags & ~immutable
fcntl.ioctl(file, put, struct.pack("l", flags))
"""
LISTED = "cd /etc/postfix && stat -c '%n %a %U %Y %s' * && cat main.cf master.cf"


def chattr(host: Host, how: str, path: str) -> None:
    """A minimal Debian has no e2fsprogs."""
    host.run(["python3", "-c", FLAGS, how, path])


@pytest.mark.parametrize("path", [MAIN, MASTER])
def test_an_immutable_file_fails_loudly(keeper: Keeper, path: str) -> None:
    with keeper.lent() as (host, run):
        # an overlay knows no such files, a file system in memory does
        host.run("cp -a /etc/postfix /root/kept && mount -t tmpfs none /etc/postfix")
        host.run("cp -a /root/kept/. /etc/postfix/ && rm -r /root/kept")
        before, listed = whole(host), host.run(LISTED).stdout
        chattr(host, "+i", path)
        done = apply(run, *EARLY)
        assert done.code != 0
        assert path in done.said
        assert "Traceback" not in done.said
        assert "itself broke" not in done.said
        chattr(host, "-i", path)
        assert apply(run, *EARLY).code == 0
        chattr(host, "+i", path)
        undone = undo(run)
        assert undone.code == 1
        assert path in undone.said
        chattr(host, "-i", path)
        assert undo(run).code == 0
        assert host.run(LISTED).stdout == listed
        assert_as(host, before)
        host.run("umount --lazy /etc/postfix")


def test_what_was_edited_since_stays_and_is_named(keeper: Keeper) -> None:
    with keeper.lent() as (host, run):
        before, _ = whole(host)
        assert apply(run, *UNTIL_FILTER).code == 0
        host.run(f"echo 'carol c@example.org' >>{CANONICAL}; echo other.test >/etc/mailname")
        host.run(f"printf 'delay_warning_time = 4h\\n# mine\\n' >>{MAIN}")
        host.run("echo 'fax: bob' >>/etc/aliases")
        done = undo(run)
        assert done.code == 1
        for path in (CANONICAL, "/etc/mailname"):
            assert f"{path} was edited by hand" in done.said
        assert host.get("/etc/mailname") == b"other.test\n"
        assert host.get(CANONICAL).endswith(b"carol c@example.org\n")
        # in files that others share, theirs stays and ours goes, and nobody is bothered
        main = host.get(MAIN).decode()
        assert main.endswith("delay_warning_time = 4h\n# mine\n")
        assert "mail.example.test" not in main
        assert b"fax: bob\n" in host.get("/etc/aliases")
        after, _ = whole(host)
        different = {CANONICAL, "/etc/mailname", MAIN, "/etc/aliases"}
        assert set(tree.diff(before, after)) <= different


PROGRAMS = "/usr/sbin/postfix /usr/lib/postfix/sbin/master"
BROKEN: dict[str, str] = {
    "stopped": "systemctl stop postfix 'postfix@*'",
    "never to start": f"chmod -x {PROGRAMS}",
    "cut off": f"truncate -s 200 {MAIN}",
    "garbage": f"head -c 300 /dev/urandom >{MAIN}",
    "unknown line": f"echo 'what is this' >>{MAIN}",
    "Dovecot's own file": f"echo 'what is {{' >>{DOVECOT}",
}


@pytest.mark.parametrize("how", BROKEN)
def test_undo_on_a_broken_host(keeper: Keeper, how: str) -> None:
    with keeper.lent() as (host, run):
        (before, rest), main = whole(host), host.get(MAIN)
        assert apply(run, *(UNTIL_FILTER if "Dovecot" in how else EARLY)).code == 0
        host.run(BROKEN[how])
        done = undo(run)
        assert done.code in (0, 1)
        assert "Traceback" not in done.said
        assert "mailwizard itself broke" not in done.said
        after, _ = whole(host)
        # where main.cf is not what we left, it is the administrator's; all else is as it was
        assert set(tree.diff(before, after)) <= {MAIN, DOVECOT}
        if how == "stopped":
            assert done.code == 0
            assert whole(host) == (before, rest)
        if how == "Dovecot's own file":
            assert (done.code, host.get(MAIN)) == (1, main)
            assert "dovecot.service as it was: not put back" in done.said
        if how == "unknown line":
            assert host.get(MAIN).endswith(b"what is this\n")
            assert b"mail.example.test" not in host.get(MAIN)
        host.run(f"chmod +x {PROGRAMS}")


def test_undo_after_the_package_was_removed(keeper: Keeper) -> None:
    with keeper.lent() as (host, run):
        before, _ = whole(host)
        assert apply(run, *UNTIL_FILTER).code == 0
        host.run("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge postfix", timeout=120)
        done = undo(run)
        assert "mailwizard itself broke" not in done.said, done
        after, _ = whole(host)
        gone = {path for path, how in tree.diff(before, after).items() if how != "removed"}
        print(f"exit {done.code}; different beside what the purge removed: {gone}")
        ours = {"/etc/hosts", "/etc/hostname", "/etc/mailname", CANONICAL}
        assert not gone & ours


def test_all_of_it_from_a_bare_host_and_the_packages_too(
    fresh_host: FreshHost, internet: Internet, suite: str
) -> None:
    host = fresh_host(launched(suite, internet))
    put_checkout(host, filtering=FOR_SPAM)
    before = host.tree()
    host.run(inside("killing.py", "0", "apply", "-a", ANSWERS, "--yes"), timeout=300)
    done = host.run([LAUNCHER, "undo", "--all", "--yes"])
    command = re.search(r"^  (apt-get .*purge.*|.*(?:purge|remove).*)$", done.stdout, re.MULTILINE)
    assert command, done.stdout
    host.run(THEIRS)
    names = " ".join(command[1].split()[2:])
    refused = host.run(f"{PYTHON} -c '{PURGE}' {names}", check=False)
    assert "the packages stay: without them theirs would have to go" in refused.stderr
    assert host.run("dpkg-query -W -f '${Status}' postfix").stdout == "install ok installed"
    host.run("dpkg --purge theirs")
    removed = host.run(f"yes | DEBIAN_FRONTEND=noninteractive {command[1]}", check=False)
    assert removed.ok, removed
    left = tree.diff(before, host.tree(), times=False)
    print(f"{suite}: `{command[1]}` leaves {left}")
    unexplained = tree.diff(before, host.tree(exclude=LEFT), times=False)
    expected = {path for path in before if path not in host.tree(exclude=LEFT)}
    assert set(unexplained) <= expected
    assert not host.exists(MAIN)
    assert host.run("grep -rl mailwizard /etc", check=False).stdout == ""
