"""Debian 12 becomes Debian 13 under a host that is set up: one run mends it, no mail is lost."""

from __future__ import annotations

from lab.internet import Internet
from support.applied import ANSWERS, UNFILTERED, Prepared, answers
from support.letters import STRANGER
from support.program import Program
from support.upgrading import Stream, upgraded

# what other people's mail programs and zones rely on
LASTING = "find /etc/ssl/mailwizard /etc/mailwizard/dkim -type f | sort | xargs sha256sum"


# Dovecot hands mail over by itself: while it is down all of it waits
HANDED = '[dovecot]\nprotocols = ["imap", "lmtp"]\n'
WAITING = f"cd /var/spool/postfix && grep -rlsaF {STRANGER} active deferred incoming"


def words(text: str) -> str:
    return " ".join(text.split())


def test_one_run_mends_what_an_upgrade_of_debian_broke(
    prepared: Prepared, internet: Internet
) -> None:
    with prepared.applied_host("bookworm", UNFILTERED) as host:
        program, stream = Program(host), Stream(internet, host)
        host.put(answers(host, UNFILTERED).replace("[dovecot]\n", HANDED), ANSWERS)
        handed = program.apply("dovecot", "protection")
        assert handed.status == 0, handed.stdout[-3000:]
        before = host.run(LASTING).stdout
        with stream.flowing():
            done = upgraded(host, internet)
            assert done.status == 100, "Debian's own upgrade fails; when it does not: a new test"
            assert "dovecot-core" in host.run("dpkg --audit").stdout
            found = {one["id"]: (one["outcome"], one["said"]) for one in program.check()["checks"]}
            for name, said in {
                "HOST-PKG": "dovecot-core",
                "IMAP-11": "this host was upgraded since",
                "HOST-10": "is older than /usr/lib/postfix/sbin/master",
            }.items():
                assert found[name][0] == "fail", found[name]
                assert said in found[name][1], found[name]
            waiting = host.run(WAITING, check=False).stdout.split()
            mended = program.apply(timeout=300)
        assert mended.status == 0, mended.stdout[-5000:] + mended.stderr
        assert "this host was set up as debian 12 and is debian 13 now" in words(mended.stdout)
        assert host.run("dpkg --audit").stdout == ""
        assert host.run(LASTING).stdout == before
        assert stream.accepted, stream.put_off
        assert waiting, "mail waited for Dovecot"
        delivered = stream.delivered()
        assert set(stream.accepted) <= set(delivered)
        assert len(delivered) == len(set(delivered))
        assert program("plan", "-a", ANSWERS).status == 0, "nothing is left to be done"
