"""Bytes that are no UTF-8: told with file and line where a daemon reads them."""

from __future__ import annotations

import pytest
from support.recorded import RecordedHost, Written
from support.verdicts import FAIL, PASS, WARN

from mailwizard import probes
from mailwizard.model import Completed

CONF = {"postconf -nx": "virtual_alias_maps = hash:/etc/postfix/virtual\n", "postconf -Px": ""}


def host(path: str, text: bytes) -> RecordedHost:
    answers = CONF | {"postconf -x alias_maps alias_database": "alias_maps = hash:/etc/aliases\n"}
    said = {line: Completed((), 0, out) for line, out in answers.items()}
    return RecordedHost(files={path: Written(text)}, answers=said)


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("/etc/passwd", b"root:x:0:0::/:/bin/sh\nalice:x:1:1:J\xfcrgen:/:/bin/sh\n", "line 2"),
        ("/etc/aliases", b"# a\n\nj\xfcrgen: alice\n", "line 3"),
        ("/etc/hosts", b"192.0.2.1 k\xfcche\n", "line 1"),
        ("/etc/postfix/main.cf", b"a = b\nsmtpd_banner = gr\xfc\xdfe\n", "line 2"),
        ("/etc/postfix/virtual", b"m\xfcller@a.test alice\n", "line 1"),
        ("/etc/aliases", "jürgen: alice\n".encode(), ""),
        ("/etc/aliases", b"# f\xfcr alle\n", ""),
        ("/etc/motd", b"gr\xfc\xdfe\n", ""),
    ],
)
def test_a_line_that_is_no_text(path: str, text: bytes, said: str) -> None:
    result = probes.TextFiles().ask(host(path, text))
    bad = WARN if path == "/etc/hosts" else FAIL
    assert result.outcome is (bad if said else PASS), result.said
    if said:
        assert f"{path}, {said}, is not UTF-8" in result.said
        assert "\xfc" not in result.said
