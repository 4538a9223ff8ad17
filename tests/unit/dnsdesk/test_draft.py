"""What would be published: the difference, ours told from what others own, and the key."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from support.dnsworld import DOMAIN, FQDN, MX, PTR, A

from mailwizard.dnsdesk.draft import Draft, draft
from mailwizard.errors import BadUsage
from mailwizard.host import LocalHost
from mailwizard.model import Record, SecretRef
from mailwizard.platform.debian import TRIXIE
from mailwizard.subjects import ZoneRecords, load
from mailwizard.subjects.zone import read_key
from mailwizard.tsig import parse
from mailwizard.zoneedits import Edit, Primary, RecordSet

SPF = Record(DOMAIN, "TXT", "v=spf1 mx -all", "the senders")
KEY = "v=DKIM1; k=rsa; p=" + "A1b2" * 100
DKIM = Record(f"mw._domainkey.{DOMAIN}", "TXT", KEY, "the key")
CAA = Record(FQDN, "CAA", '0 issue "ca.example"', "the authority")
SECRET = base64.b64encode(b"a secret of thirty-two octets ok").decode()


def drafted(record: Record, *there: str, ours: tuple[str, ...] = ()) -> Draft | None:
    known = {(record.owner, record.type, value) for value in ours}
    return draft(record, [record], RecordSet(record.owner, record.type, 300, there), known)


@pytest.mark.parametrize(
    ("record", "there", "drops", "adds", "foreign"),
    [
        (A, [], [], [A.value], False),
        (A, ["192.0.2.99"], ["192.0.2.99"], [A.value], True),
        (A, [A.value, "192.0.2.99"], ["192.0.2.99"], [], True),
        (MX, [], [], [MX.value], False),
        (MX, ["0 ."], ["0 ."], [MX.value], True),
        (MX, ["10 mx.provider.example."], ["10 mx.provider.example."], [MX.value], True),
        (MX, [f"10 {FQDN}.{DOMAIN}."], [f"10 {FQDN}.{DOMAIN}."], [MX.value], False),
        (PTR, ["static.provider.example."], ["static.provider.example."], [PTR.value], True),
        (SPF, ['"site-verification=1"'], [], ['"v=spf1 mx -all"'], False),
        (SPF, ['"v=spf1 a -all"'], ['"v=spf1 a -all"'], ['"v=spf1 mx -all"'], True),
        (SPF, ['"v=spf1  MX -all"', '"v=spf1 a -all"'], ['"v=spf1 a -all"'], [], True),
        (SPF, ['"v=spf1 a mx -all"', '"v=spf1 mx -all"'], ['"v=spf1 a mx -all"'], [], True),
        (SPF, ['"v=spf1 +mx -all"', '"v=spf1 a mx -all"'], ['"v=spf1 a mx -all"'], [], True),
        (CAA, ['0 issue "other.example"'], [], ['0 issue "ca.example"'], False),
        (
            DKIM,
            [f'"{KEY[:255]}"'],
            [f'"{KEY[:255]}"'],
            [f'"{KEY[:255]}" "{KEY[255:]}"'],
            False,
        ),
    ],
)
def test_only_what_is_needed_changes_and_what_others_own_is_told_apart(
    record: Record, there: list[str], drops: list[str], adds: list[str], foreign: bool
) -> None:
    found = drafted(record, *there)
    assert found is not None
    assert list(found.edit.drops) == drops
    assert list(found.edit.adds) == adds
    assert found.foreign is foreign
    assert found.seen.values == tuple(there)


@pytest.mark.parametrize(
    ("record", "there"),
    [(A, A.value), (MX, f"20 {FQDN}."), (SPF, '"v=spf1  mx -ALL"'), (CAA, CAA.value)],
)
def test_what_is_right_stays_as_it_stands(record: Record, there: str) -> None:
    assert drafted(record, there) is None


def test_what_we_published_before_is_ours_to_replace() -> None:
    found = drafted(A, "192.0.2.99", ours=("192.0.2.99",))
    assert found is not None
    assert not found.foreign


def test_two_addresses_of_one_name_are_published_together() -> None:
    second = Record(FQDN, "A", "192.0.2.11", "the other address")
    found = draft(A, [A, second], RecordSet(FQDN, "A", 300, ("192.0.2.10",)), ())
    assert found is not None
    assert (found.edit.drops, found.edit.adds) == ((), ("192.0.2.11",))


BIND = f"""# made by tsig-keygen
key "mw.example.org" {{
    algorithm hmac-sha512;
    secret "{SECRET}";
}};
"""


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        (BIND, "hmac-sha512"),
        (f"hmac-sha384:mw.example.org:{SECRET}", "hmac-sha384"),
        (f"mw.example.org:{SECRET}", "hmac-sha256"),
    ],
)
def test_a_key_is_read_as_bind_or_in_one_line(text: str, algorithm: str) -> None:
    key = parse(text, "the file")
    assert (key.name.to_text(), key.algorithm) == ("mw.example.org.", algorithm)
    assert key.secret == base64.b64decode(SECRET)
    assert SECRET not in repr(key)


@pytest.mark.parametrize("secret", ["//yC//8=", "ab//////", "+/+/+//="])
@pytest.mark.parametrize(
    "form",
    [
        '// mine\nkey mw {{algorithm hmac-sha256;// "x"\n\tsecret "{}"; # end\n}};',
        "# mine\nmw:{}  // end\n",
    ],
)
def test_a_secret_may_hold_what_else_begins_a_comment(form: str, secret: str) -> None:
    assert parse(form.format(secret), "the file").secret == base64.b64decode(secret)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "holds no key"),
        ("hmac-md5:mw:" + SECRET, "no algorithm that is known"),
        ("mw.example.org:not base64!", "is damaged"),
        ("mw..example.org:" + SECRET, "is damaged"),
        (BIND.replace("secret", "secreet"), "is damaged"),
    ],
)
def test_a_key_that_is_none_is_refused_and_not_repeated(text: str, said: str) -> None:
    with pytest.raises(BadUsage, match=said) as refused:
        parse(text, "the file")
    assert refused.value.hint
    assert SECRET not in str(refused.value) + refused.value.hint


def test_a_key_file_must_be_private_and_its_words_are_never_shown(tmp_path: Path) -> None:
    host = LocalHost(TRIXIE, str(tmp_path / "state"))
    path = tmp_path / "key"
    path.write_text(BIND)
    path.chmod(0o644)
    with pytest.raises(BadUsage, match="others can read"):
        read_key(host, SecretRef(file=str(path)))
    path.chmod(0o600)
    assert read_key(host, SecretRef(file=str(path))).secret
    assert host.without_secrets(f"it was {SECRET}.") == "it was (a secret)."
    with pytest.raises(BadUsage, match=re.escape("environment variable NOT_SET")):
        read_key(host, SecretRef(env="NOT_SET"))


def test_what_was_published_is_loaded_from_the_journal_without_its_key() -> None:
    edit = Edit(FQDN, "A", ("192.0.2.99",), (A.value,), 3600)
    subject = ZoneRecords.of(Primary(DOMAIN, "127.0.0.1"), SecretRef(file="/root/key"), [edit])
    again = load(subject.kind, subject.name)
    assert again == subject
    assert isinstance(again, ZoneRecords)
    assert (again.edits, again.primary.zone, again.key.file) == ([edit], DOMAIN, "/root/key")
