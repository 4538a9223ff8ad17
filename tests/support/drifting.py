"""Runs inside a host under test: each managed file edited by hand, then plan and apply.

One line of JSON for each edit: what was said, and whether the file kept every byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from support import killing

ANSWERS = ("-a", "/root/answers.toml")
# each file, and the step that is run over its edits: the whole run where several write it
FILES = {
    "/etc/hostname": "hostname",
    "/etc/hosts": "hostname",
    "/etc/mailname": "postfix",
    "/etc/postfix/main.cf": "",
    "/etc/postfix/master.cf": "",
    "/etc/aliases": "aliases",
    "/etc/postfix/sender_canonical": "aliases",
}
# files of the same kinds, and of one more: two edits of each are enough
LATER = {
    "/etc/dovecot/conf.d/99-mailwizard.conf": "dovecot",
    "/etc/postfix/sender_login": "submission",
    "/etc/postfix/sasl_passwd": "relay",
    "/etc/amavis/conf.d/60-mailwizard": "amavis",
    "/etc/opendkim.conf": "authentication",
    "/etc/opendmarc.conf": "opendmarc",
}
# a value of ours, and what somebody makes of it
VALUES = {
    "/etc/hostname": (b"mail", b"post"),
    "/etc/hosts": (b"mail.example.test", b"post.example.test"),
    "/etc/mailname": (b"example.test", b"example.org"),
    "/etc/postfix/main.cf": (b"smtpd_helo_required = yes", b"smtpd_helo_required = no"),
    "/etc/postfix/master.cf": (b"smtpd_sasl_auth_enable=no", b"smtpd_sasl_auth_enable=yes"),
    "/etc/aliases": (b"root: alice", b"root: bob"),
    "/etc/postfix/sender_canonical": (b"alice.liddell@", b"alice.l@"),
    "/etc/dovecot/conf.d/99-mailwizard.conf": (b"Maildir", b"Mail"),
    "/etc/postfix/sender_login": (b"alice", b"bob"),
    "/etc/postfix/sasl_passwd": (b"customer", b"somebody"),
    "/etc/amavis/conf.d/60-mailwizard": (b"10024", b"10023"),
    "/etc/opendkim.conf": (b"127.0.0.1", b"127.0.0.2"),
    "/etc/opendmarc.conf": (b"127.0.0.1", b"127.0.0.2"),
}
UNRELATED = {
    "/etc/hosts": b"192.0.2.77 printer\n",
    "/etc/postfix/main.cf": b"delay_warning_time = 4h\n",
    "/etc/postfix/master.cf": b"rarely unix - n n - - pipe argv=/bin/true\n",
    "/etc/aliases": b"fax: bob\n",
}


def _reordered(data: bytes, path: str) -> bytes:
    lines = data.splitlines(keepends=True)
    if path == "/etc/postfix/master.cf":
        # options belong to the line above them
        return data
    return b"".join([*lines[-1:], *lines[:-1]])


EDITS: dict[str, Callable[[bytes, str], bytes]] = {
    "value": lambda data, path: data.replace(*VALUES[path]),
    "comment": lambda data, _: b"# by hand\n" + data,
    "reordered": _reordered,
    "blanks": lambda data, path: data.replace(VALUES[path][0], b" \t ".join(_parts(path))),
    "CRLF": lambda data, _: data.replace(b"\n", b"\r\n"),
    "no final newline": lambda data, _: data.rstrip(b"\n"),
    "unrelated": lambda data, path: data + UNRELATED.get(path, b""),
    "service": lambda data, _: data.replace(b"syslog_name=postfix/submission ", b"syslog_name=x "),
}


def _parts(path: str) -> list[bytes]:
    value = VALUES[path][0]
    for separator in (b" = ", b": "):
        if separator in value:
            left, right = value.split(separator)
            return [left + separator.rstrip(), right]
    return [value, b""]


def _drifted(said: str) -> list[str]:
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return [part for e in events if e.get("event") == "drifted" for part in e.get("parts", [])]


def main() -> None:
    """Edit, ask, and put the file back as it was, times included."""
    for path, step in {**FILES, **LATER}.items():
        steps = [step] if step else []
        ours, about = Path(path).read_bytes(), Path(path).stat()
        for name in EDITS if path in FILES else ("value", "comment"):
            edit = EDITS[name]
            edited = edit(ours, path)
            if edited == ours:
                continue
            Path(path).write_bytes(edited)
            planned = killing.run(["plan", *ANSWERS, "--json", *steps])
            applied = killing.run(["apply", *ANSWERS, "--yes", "--json", *steps])
            found = {
                "path": path,
                "edit": name,
                "plan": planned.code,
                "apply": applied.code,
                "drifted": _drifted(applied.said),
                "kept": Path(path).read_bytes() == edited,
                "said": applied.said[-600:],
            }
            print(json.dumps(found), flush=True)
            Path(path).write_bytes(ours)
            os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


if __name__ == "__main__":
    main()
