"""The change that makes a signing key: once, private, and never in what is shown or exported."""

from __future__ import annotations

import pytest
from support.recorded import RecordedHost, Written

from mailwizard.changes import RetiredKey, SigningKey
from mailwizard.errors import CommandFailed, HostRefused, ProofFailed, for_root_alone
from mailwizard.model import Completed

PATH = "/etc/mailwizard/dkim/example.org.mw202611.pem"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nsecret\n"
CHANGE = SigningKey(PATH, "amavis")


def host(key: Written | None = None) -> RecordedHost:
    answers = {
        "id -g -- amavis": Completed(("id",), 0, "110\n"),
        "openssl genrsa -traditional 2048": Completed(("openssl",), 0, KEY),
    }
    return RecordedHost(answers=answers, files={PATH: key} if key else {})


def test_a_key_is_made_once() -> None:
    made = host()
    assert CHANGE.needed(made)
    CHANGE.apply(made)
    written = made.files[PATH]
    assert (written.data, written.mode, written.owner) == (KEY.encode(), 0o640, (0, 110))
    assert not CHANGE.needed(made)
    CHANGE.apply(made)
    assert [argv for argv in made.ran if argv[0] == "openssl"] == [
        ("openssl", "genrsa", "-traditional", "2048")
    ]


def test_rights_are_mended_and_the_key_is_kept() -> None:
    open_to_all = host(Written(b"the old key", 0o644, (0, 0)))
    assert CHANGE.needed(open_to_all)
    CHANGE.apply(open_to_all)
    mended = open_to_all.files[PATH]
    assert (mended.data, mended.mode, mended.owner) == (b"the old key", 0o640, (0, 110))
    assert not CHANGE.needed(open_to_all)


def test_the_key_itself_is_never_shown() -> None:
    made = host(Written(KEY.encode(), 0o640, (0, 110)))
    shown = CHANGE.preview(made).text + CHANGE.shell(made) + CHANGE.title
    images = [subject.capture(made) for subject in CHANGE.subjects(made)]
    assert "secret" not in shown + str(images)


def test_without_the_signer_no_key_is_made() -> None:
    nobody = RecordedHost()
    assert CHANGE.needed(nobody)
    with pytest.raises(CommandFailed):
        CHANGE.apply(nobody)
    assert nobody.written == {}


def test_a_broken_key_stops_the_run_and_stays() -> None:
    broken = host(Written(b"half a key", 0o640, (0, 110)))
    argv = f"openssl rsa -in {PATH} -noout -passin pass:"
    broken.answers[argv] = Completed(("openssl",), 1, "", "Could not find private key")
    assert CHANGE.needed(broken)
    with pytest.raises(ProofFailed, match="no private key") as caught:
        CHANGE.apply(broken)
    assert "make a new key" in caught.value.hint
    assert broken.files[PATH].data == b"half a key"


class ByAnybody(RecordedHost):
    """A host on which an ordinary user looks."""

    def read(self, path: str) -> bytes:
        raise for_root_alone(path)


def test_a_key_that_cannot_be_read_is_not_broken() -> None:
    argv = f"openssl rsa -in {PATH} -noout -passin pass:"
    answers = {argv: Completed(("openssl",), 1, "", "Could not open file: Permission denied")}
    key = Written(KEY.encode(), 0o640, (0, 110))
    seen = ByAnybody(answers=answers, files={PATH: key})
    with pytest.raises(HostRefused, match=f"{PATH} can be read by root alone"):
        CHANGE.needed(seen)
    assert CHANGE.needed(ByAnybody()), "there is none"


def test_a_key_that_is_retired_is_gone_for_good() -> None:
    there = host(Written(KEY.encode(), 0o640, (0, 110)))
    change = RetiredKey(PATH)
    assert change.needed(there)
    (subject,) = change.subjects(there)
    before = subject.capture(there)
    change.apply(there)
    after = subject.capture(there)
    assert not change.needed(there)
    assert "secret" not in str(before) + change.preview(there).text + change.shell(there)
    subject.restore(there, before, after)
    assert PATH not in there.files
    assert there.aside == {}
    # what the key's own making left behind is not taken for an edit by hand
    making = CHANGE.subjects(there)[-1]
    assert making.parts(making.capture(there)) == subject.parts(after)
