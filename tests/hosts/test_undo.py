"""Undo puts back what was there, whatever that was (R15), and works on a broken host (R16).

Compared as a whole: names, bytes, modes, owners, times, links and extended attributes of /etc, the
kernel's host name, debconf's answers, the units.
"""

from __future__ import annotations

import re

import pytest
from lab import tree
from lab.fixtures import FreshHost
from lab.host import Host
from lab.images import SUITES
from lab.internet import Internet
from lab.shell import Completed
from support import suites
from support.applied import ANSWERS, FOR_SPAM, LAUNCHER, LOGIN, PASSWORD, Prepared
from support.bare import inside, launched, put_checkout
from support.undone import comparable

from mailwizard.steps import STEPS as HOWTO

STEPS = tuple(step.id for step in HOWTO if not step.optional or step.proposed or step.id == "relay")
NEEDS = {step.id: set(step.needs) for step in HOWTO}
MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
CANONICAL = "/etc/postfix/sender_canonical"
DOVECOT = "/etc/dovecot/dovecot.conf"
REST = """
units="postfix postfix@- dovecot amavis opendkim opendmarc"
until ! systemctl show -P ActiveState $units | grep -q ing; do sleep 0.1; done
hostname
debconf-show postfix | sort
# as its package brings it, amavis fails on a host without a full name
systemctl show -p Id,ActiveState,UnitFileState $units | sed 's/=failed/=inactive/'
"""
Whole = tuple[dict[str, tree.TreeEntry], str]
# What a removal leaves: accounts and their backups, the key pair that ssl-cert makes, what ldconfig
# keeps, the aliases, which Debian's own packages leave as well, and Dovecot's own files as they
# were shipped: its package asks ucf about them, which goes in the same transaction.
LEFT = (
    *("/etc/passwd*", "/etc/group*", "/etc/shadow*", "/etc/gshadow*", "/etc/sub?id*"),
    *("/etc/ld.so.cache", "/etc/ssl/certs*", "/etc/ssl/private*", "/etc/.pwd.lock"),
    *("/etc/aliases", "/etc/aliases.db", "/etc/dovecot*"),
)


def whole(host: Host) -> Whole:
    return comparable(host.tree()), host.run(REST).stdout


def assert_as(host: Host, before: Whole, *, but: dict[str, str] | None = None) -> None:
    files, rest = whole(host)
    found = tree.diff(before[0], files)
    assert found.items() <= (but or {}).items(), found
    assert rest == before[1]


def apply(host: Host, *steps: str) -> Completed:
    """The steps, without their probes."""
    words = ["apply", "-a", ANSWERS, "--yes", *steps]
    return host.run(inside("killing.py", "0", *words), check=False)


def undo(host: Host, *steps: str) -> Completed:
    return host.run([LAUNCHER, "undo", *(steps or ["--all"]), "--yes"], check=False)


@pytest.fixture
def host(prepared: Prepared, fresh_host: FreshHost, suite: str) -> Host:
    made = fresh_host(prepared.ready(suite))
    put_checkout(made, filtering=FOR_SPAM)
    return made


def built_on(step: str) -> set[str]:
    """The steps that cannot stay when this one goes."""
    gone = {step}
    for other in STEPS:
        if NEEDS[other] & gone:
            gone.add(other)
    return gone - {step}


@suites.both_releases
def test_every_prefix_and_every_single_step(host: Host, suite: str) -> None:
    moments, times = [whole(host)], dict[str, str]()
    for step in STEPS:
        assert apply(host, step).ok
        moments.append(whole(host))
    for place, step in reversed(list(enumerate(STEPS))):
        # every other step goes first, while those after it stand; the other release has the rest
        alone = place % 2 == SUITES.index(suite)
        others = set(STEPS[place + 1 :]) if alone else set[str]()
        if others:
            assert apply(host).ok
            # they wrote the same files too: from now on no time of before is the right one
            times = dict.fromkeys((MAIN, MASTER), "changed: mtime_ns")
        done = undo(host, step)
        assert done.status == 0, done
        # it takes those with it that were built on it
        told = re.search("undone with them: (.*)$", done.stdout, re.MULTILINE)
        gone = built_on(step) & others
        assert set(told[1].split(", ") if told else []) == gone
        for other in others - gone:
            assert undo(host, other).status == 0
        assert_as(host, moments[place], but=times)
    assert apply(host).ok
    assert undo(host).status == 0
    assert_as(host, moments[0], but=times)
    assert undo(host).status == 0, "a second undo has nothing to do"
    assert_as(host, moments[0], but=times)
    assert host.exists("/home/carol"), "nobody's mail is removed"


def test_an_account_goes_though_somebody_reads_its_mail(host: Host) -> None:
    before = whole(host)
    assert apply(host).ok
    typed = f"printf 'a LOGIN {LOGIN} \"{PASSWORD}\"\\r\\nb SELECT INBOX\\r\\n'; sleep 60"
    reader = host.popen(f"({typed}) | openssl s_client -quiet -connect 127.0.0.1:993")
    host.run(f"until pgrep -u {LOGIN} -x imap; do sleep 0.1; done", timeout=20)
    done = undo(host)
    assert done.status == 0, done
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
    "extended attributes": "setfattr -n user.note -v ours /etc/hosts || true",
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
# what these are about is over after them
EARLY = ("hostname", "postfix", "aliases")
UNTIL_FILTER = STEPS[: STEPS.index("amavis")]
LATE = list(UNUSUAL)[10:]


@pytest.mark.parametrize("what", UNUSUAL)
def test_unusual_hosts_are_put_back_exactly(host: Host, what: str) -> None:
    host.run(UNUSUAL[what])
    before = whole(host)
    steps = () if what == "milters by hand" else UNTIL_FILTER if what in LATE else EARLY
    done = apply(host, *steps)
    assert done.ok, done.stdout[-2000:] + done.stderr
    assert host.run(["stat", "-c%a %U", "-L", MAIN]).stdout.split() == mode_of(before, host)
    if what == "an authority of before":
        assert host.run("stat -c %a /etc/ssl/mailwizard/*.key").stdout.split() == ["600", "600"]
    if what == "aliases by hand":
        aliases = host.get("/etc/aliases")
        assert aliases.startswith(b"# ours\r\nfax: |/bin/fax\r\n\r\n")
        assert b"# end\n" in aliases
    undone = undo(host)
    assert undone.status == 0, undone
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
def test_an_immutable_file_fails_loudly(host: Host, path: str) -> None:
    # an overlay knows no such files, a file system in memory does
    host.run("cp -a /etc/postfix /root/kept && mount -t tmpfs none /etc/postfix")
    host.run("cp -a /root/kept/. /etc/postfix/")
    before, listed = whole(host), host.run(LISTED).stdout
    chattr(host, "+i", path)
    done = apply(host)
    said = done.stdout + done.stderr
    assert not done.ok
    assert path in said
    assert "Traceback" not in said
    assert "itself broke" not in said
    chattr(host, "-i", path)
    assert apply(host).ok
    chattr(host, "+i", path)
    undone = undo(host)
    assert undone.status == 1
    assert path in undone.stdout + undone.stderr
    chattr(host, "-i", path)
    assert undo(host).status == 0
    assert host.run(LISTED).stdout == listed
    assert_as(host, before)


def test_what_was_edited_since_stays_and_is_named(host: Host) -> None:
    before, _ = whole(host)
    assert apply(host).ok
    host.run(f"echo 'carol c@example.org' >>{CANONICAL}; echo other.test >/etc/mailname")
    host.run(
        f"printf 'delay_warning_time = 4h\\n# mine\\n' >>{MAIN}; echo 'fax: bob' >>/etc/aliases"
    )
    done = undo(host)
    assert done.status == 1
    for path in (CANONICAL, "/etc/mailname"):
        assert f"{path} was edited by hand" in done.stdout + done.stderr
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


BROKEN: dict[str, str] = {
    "stopped": "systemctl stop postfix 'postfix@*'",
    "never to start": "chmod -x /usr/sbin/postfix /usr/lib/postfix/sbin/master",
    "cut off": f"truncate -s 200 {MAIN}",
    "garbage": f"head -c 300 /dev/urandom >{MAIN}",
    "unknown line": f"echo 'what is this' >>{MAIN}",
    "Dovecot's own file": f"echo 'what is {{' >>{DOVECOT}",
}


@pytest.mark.parametrize("how", BROKEN)
def test_undo_on_a_broken_host(host: Host, how: str) -> None:
    (before, rest), main = whole(host), host.get(MAIN)
    assert apply(host, *(UNTIL_FILTER if "Dovecot" in how else EARLY)).ok
    host.run(BROKEN[how])
    done = undo(host)
    assert done.status in (0, 1)
    assert "Traceback" not in done.stderr
    assert "mailwizard itself broke" not in done.stderr
    after, _ = whole(host)
    # where main.cf is not what we left, it is the administrator's; all else is as it was
    assert set(tree.diff(before, after)) <= {MAIN, DOVECOT}
    if how == "stopped":
        assert done.status == 0
        assert whole(host) == (before, rest)
    if how == "Dovecot's own file":
        assert (done.status, host.get(MAIN)) == (1, main)
        assert "dovecot.service as it was: not put back" in done.stdout
    if how == "unknown line":
        assert host.get(MAIN).endswith(b"what is this\n")
        assert b"mail.example.test" not in host.get(MAIN)


def test_undo_after_the_package_was_removed(host: Host) -> None:
    before, _ = whole(host)
    assert apply(host).ok
    host.run("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge postfix", timeout=120)
    done = undo(host)
    assert "mailwizard itself broke" not in done.stderr, done
    after, _ = whole(host)
    gone = {path for path, how in tree.diff(before, after).items() if how != "removed"}
    print(f"exit {done.status}; different beside what the purge removed: {gone}")
    ours = {"/etc/hosts", "/etc/hostname", "/etc/mailname", CANONICAL}
    assert not gone & ours


def test_all_of_it_from_a_bare_host_and_the_packages_too(
    fresh_host: FreshHost, internet: Internet, suite: str
) -> None:
    host = fresh_host(launched(suite, internet))
    put_checkout(host, filtering=FOR_SPAM)
    before = host.tree()
    assert apply(host).ok
    done = undo(host)
    assert done.status == 0, done
    command = re.search(r"^  (apt-get .*purge.*|.*(?:purge|remove).*)$", done.stdout, re.MULTILINE)
    assert command, done.stdout
    removed = host.run(f"yes | DEBIAN_FRONTEND=noninteractive {command[1]}", check=False)
    assert removed.ok, removed
    left = tree.diff(before, host.tree(), times=False)
    print(f"{suite}: `{command[1]}` leaves {left}")
    unexplained = tree.diff(before, host.tree(exclude=LEFT), times=False)
    expected = {path for path in before if path not in host.tree(exclude=LEFT)}
    assert set(unexplained) <= expected
    assert not host.exists(MAIN)
    assert host.run("grep -rl mailwizard /etc", check=False).stdout == ""
