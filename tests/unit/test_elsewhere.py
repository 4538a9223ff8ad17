"""Settings of others that lead mail another way are told by name and by place."""

from __future__ import annotations

import pytest
from support.recorded import RecordedHost, Written
from support.verdicts import PASS, WARN

from mailwizard import elsewhere, probes
from mailwizard.model import Completed
from mailwizard.probes.delivery import _look_where
from mailwizard.render import HEADER

MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
DROP_IN = "/etc/systemd/system/opendkim.service.d/override.conf"
DEFAULTS = "default_transport = smtp\nrelay_domains = $mydestination\nalways_bcc =\n"


def host(**files: str) -> RecordedHost:
    names = {"main": MAIN, "master": MASTER, "drop": DROP_IN, "default": "/etc/default/opendkim"}
    found = {names[name]: Written(text.encode("latin-1")) for name, text in files.items()}
    return RecordedHost(files=found, answers={"postconf -d": Completed((), 0, DEFAULTS)})


def told(there: RecordedHost, *ours: str) -> list[str]:
    return [one.sentence for one in elsewhere.settings(there, ours)]


@pytest.mark.parametrize(
    ("main", "said"),
    [
        ("myhostname = x\nalways_bcc = a@b.test\n", f"always_bcc = a@b.test ({MAIN}, line 2): a"),
        ("relayhost = a\n# x\nrelayhost =\n  [b]:587\n", f"relayhost = [b]:587 ({MAIN}, line 3): "),
        ("virtual_alias_maps = hash:/etc/postfix/virtual\n", "virtual_alias_maps = hash:/etc/"),
        # Gr\xfc\xdfe, as it was written in the nineties
        ("mailbox_command = /bin/gr\xfc\xdfe\n", "it delivers, in place of Postfix"),
        ("default_transport = smtp\nrelayhost =\nrelay_domains =  $mydestination\n", ""),
        ("#always_bcc = a@b.test\n", ""),
    ],
)  # fmt: skip
def test_parameters_beside_ours(main: str, said: str) -> None:
    found = told(host(main=main))
    assert len(found) == bool(said)
    assert said in "".join(found)
    assert probes.NothingElsewhere().ask(host(main=main)).outcome is (WARN if said else PASS)


def test_what_an_answer_of_ours_sets_is_ours() -> None:
    assert told(host(main="relayhost = [b]:587\n"), "relayhost") == []


def test_services_that_stand_twice() -> None:
    rows = "smtp {0}smtpd\n  -o a=b\n25 {0}smtpd\n127.0.0.1:25 {0}x\n".format("inet n - y - - ")
    assert told(host(master=rows)) == [
        "25 inet twice (/etc/postfix/master.cf, lines 1 and 3): the last one counts"
    ]
    assert told(host(master="smtp inet n - y - - smtpd\nsmtp unix - - y - - smtp\n")) == []


def test_a_socket_in_a_drop_in_is_known_to_the_advice() -> None:
    drop = (
        "[Service]\nEnvironmentFile=-/etc/default/opendkim\nExecStart=\nExecStart=/x -p $SOCKET\n"
    )
    there = host(drop=drop, default="# SOCKET=old\nSOCKET=local:/run/opendkim/o.sock\n")
    found = told(there)
    assert f"ExecStart=/x -p $SOCKET ({DROP_IN}): opendkim.service is started so" in found
    place = "/etc/default/opendkim, line 2"
    assert f"SOCKET=local:/run/opendkim/o.sock ({place}): opendkim.service is started so" in found
    advice = probes.MilterAnswers(1, "opendkim").ask(there).fix
    assert (DROP_IN in advice, place in advice) == (True, True)
    assert "why it stopped" in probes.MilterAnswers(1, "opendkim").ask(host()).fix


@pytest.mark.parametrize(
    "drop", ["[Service]\nLimitNOFILE=9\n", f"# {HEADER}\n[Service]\nExecStart=x\n"]
)
def test_drop_ins_that_start_nothing_else(drop: str) -> None:
    assert told(host(drop=drop)) == []


def test_advice_knows_what_comes_before_the_mailbox() -> None:
    there = host(main="mailbox_command = procmail\nmailbox_transport = lmtp:x\n")
    assert "mailbox_transport = lmtp:x" in _look_where(there)
    assert "home_mailbox = Maildir/ puts mail" in _look_where(host(main="home_mailbox = x\n"))
