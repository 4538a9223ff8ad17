"""What the configuration proves by itself: seed-like holes are found before Postfix sees them."""

import pytest
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Completed, Outcome
from mailwizard.probes.postconf import words

GUARD = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination"
LOOPBACK = "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128"
MASTER = (
    "smtp inet n - y - - smtpd\n"
    "submission inet n - y - - smtpd -o syslog_name=postfix/submission\n"
    "127.0.0.1:10025 inet n - y - - smtpd\n"
    "pickup unix n - y 60 1 pickup\n"
)
ADDRESSES = '[{"ifname":"eth0","addr_info":[{"local":"192.0.2.25"},{"local":"2001:db8::25"}]}]'
LISTS = "smtpd_relay_restrictions smtpd_recipient_restrictions smtpd_restriction_classes"


def answer(host: RecordedHost, command: str, out: str, err: str = "", code: int = 0) -> None:
    host.answers[command] = Completed(tuple(command.split()), code, out, err)


def postfix(
    main: dict[str, str] | None = None, overrides: str = "", directory: str = ""
) -> RecordedHost:
    host = RecordedHost()
    values = {
        "mynetworks": LOOPBACK,
        "smtpd_relay_restrictions": GUARD,
        "smtpd_recipient_restrictions": "",
        "smtpd_restriction_classes": "",
        "mail_version": "3.10.13",
        "smtpd_forbid_bare_newline": "normalize",
        "smtpd_forbid_unauth_pipelining": "yes",
        "compatibility_level": "3.6",
        **(main or {}),
    }
    conf = f"postconf -c {directory}" if directory else "postconf"

    def values_of(names: str) -> str:
        return "".join(f"{n} = {values[n]}\n" for n in names.split() if n in values)

    classes = values["smtpd_restriction_classes"].replace(",", "")
    for names in (LISTS, "mynetworks", classes, "compatibility_level"):
        answer(host, f"{conf} -x {names}", values_of(names))
    settings = "mail_version smtpd_forbid_bare_newline smtpd_forbid_unauth_pipelining"
    answer(host, f"{conf} -x {settings}", values_of(settings))
    answer(host, f"{conf} -Px", overrides)
    answer(host, f"{conf} -M", MASTER)
    answer(host, "ip -j addr show scope global", ADDRESSES)
    return host


@pytest.mark.parametrize(
    ("relay", "hole"),
    [
        (GUARD, ""),
        ("permit_mynetworks,defer_unauth_destination", ""),
        ("permit_mynetworks reject", ""),
        ("permit_mynetworks, reject_unknown_sender_domain, reject_unauth_destination", ""),
        ("reject_rbl_client zen.example, reject_unauth_destination, permit", ""),
        ("permit, reject_unauth_destination", "permit stands"),
        ("check_policy_service,unix:private/policyd-spf,permit", "check_policy_service"),
        ("check_policy_service unix:private/policyd-spf, reject", "check_policy_service"),
        (
            "{ check_policy_service { inet:127.0.0.1:1, timeout = 3s } }, reject",
            "check_policy_service",
        ),
        ("check_sender_access hash:/x, reject_unauth_destination", "check_sender_access"),
        ("hash:/etc/postfix/access, reject_unauth_destination", "hash:"),
        ("permit_mynetworks", "nothing refuses"),
        ("permit_mynetworks, warn_if_reject reject_unauth_destination", "nothing refuses"),
        ("permit_mx_backup, reject_unauth_destination", "permit_mx_backup"),
        ("permit_tls_all_clientcerts, reject", "permit_tls_all_clientcerts"),
    ],
)
def test_the_relay_list_of_main_cf(relay: str, hole: str) -> None:
    result = probes.RelayRestrictions().ask(postfix({"smtpd_relay_restrictions": relay}))
    assert result.outcome is (Outcome.FAIL if hole else Outcome.PASS), result
    assert hole in result.said
    assert bool(result.fix) == bool(hole)


def test_an_override_for_one_service_is_seen() -> None:
    seed = "smtp/inet/smtpd_relay_restrictions = check_policy_service,unix:private/spf,permit\n"
    result = probes.RelayRestrictions().ask(postfix(overrides=seed))
    assert result.outcome is Outcome.FAIL
    assert "smtp/inet" in result.said
    assert any("submission/inet" in row for row in result.transcript)


@pytest.mark.parametrize(
    ("recipient", "outcome"),
    [
        ("permit_mynetworks,reject", Outcome.PASS),
        ("permit_mynetworks, reject_unauth_destination, permit", Outcome.PASS),
        ("check_recipient_access hash:/x, reject_unauth_destination", Outcome.FAIL),
        ("permit", Outcome.FAIL),
        ("", Outcome.FAIL),
    ],
)
def test_an_empty_relay_list_leaves_it_to_the_recipient_list(
    recipient: str, outcome: Outcome
) -> None:
    name = "127.0.0.1:10025/inet"
    overrides = f"{name}/smtpd_relay_restrictions = \n"
    overrides += f"{name}/smtpd_recipient_restrictions = {recipient}\n"
    assert probes.RelayRestrictions().ask(postfix(overrides=overrides)).outcome is outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("permit_mynetworks, reject", Outcome.PASS),
        ("check_client_access hash:/x, reject", Outcome.FAIL),
    ],
)
def test_restriction_classes_are_opened(body: str, outcome: Outcome) -> None:
    main = {
        "smtpd_relay_restrictions": "ours, reject_unauth_destination",
        "smtpd_restriction_classes": "ours",
        "ours": body,
    }
    assert probes.RelayRestrictions().ask(postfix(main)).outcome is outcome


@pytest.mark.parametrize(
    ("networks", "outcome"),
    [
        (LOOPBACK, Outcome.PASS),
        ("127.0.0.0/8, 192.0.2.25/32, [2001:db8::25]/128", Outcome.PASS),
        (f"{LOOPBACK} [fe80::1]/128", Outcome.PASS),
        ("!10.0.0.1 127.0.0.1", Outcome.PASS),
        ("", Outcome.PASS),
        ("127.0.0.0/8 192.168.7.0/24", Outcome.WARN),
        ("127.0.0.0/8 [fd00:1::]/64", Outcome.WARN),
        ("127.0.0.0/8 192.0.2.77", Outcome.WARN),
        ("127.0.0.0/8 hash:/etc/postfix/networks", Outcome.WARN),
        ("127.0.0.0/8 192.0.2.0/24", Outcome.FAIL),
        ("0.0.0.0/0", Outcome.FAIL),
        ("[::]/0", Outcome.FAIL),
        ("[2001:db8::]/32", Outcome.FAIL),
        ("[::ffff:192.0.2.0]/120", Outcome.FAIL),
        ("127.0.0.0/8 /etc/postfix/trusted", Outcome.FAIL),
    ],
)
def test_trusted_networks(networks: str, outcome: Outcome) -> None:
    host = postfix({"mynetworks": networks})
    host.files["/etc/postfix/trusted"] = Written(b"# ours\n198.51.100.0/24\n")
    result = probes.TrustedNetworks().ask(host)
    assert result.outcome is outcome, result


def test_a_service_may_not_trust_more_unless_it_is_on_loopback() -> None:
    wide = "submission/inet/mynetworks = 0.0.0.0/0\n"
    assert probes.TrustedNetworks().ask(postfix(overrides=wide)).outcome is Outcome.FAIL
    inside = "127.0.0.1:10025/inet/mynetworks = 0.0.0.0/0\n"
    assert probes.TrustedNetworks().ask(postfix(overrides=inside)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "kind", [probes.TrustedNetworks, probes.RelayRestrictions, probes.SmugglingSettings]
)
def test_a_draft_directory_is_judged_in_place_of_the_live_one(kind: type) -> None:
    bad = {
        "mynetworks": "0.0.0.0/0",
        "smtpd_relay_restrictions": "permit",
        "smtpd_forbid_bare_newline": "no",
    }
    host = postfix(bad, directory="/run/draft")
    assert kind("/run/draft").ask(host).outcome is Outcome.FAIL
    assert kind().ask(host).outcome is Outcome.UNKNOWN
    assert "-c /run/draft" in kind("/run/draft").by_hand


def test_the_guards_are_critical() -> None:
    assert probes.TrustedNetworks().critical
    assert probes.RelayRestrictions().critical


@pytest.mark.parametrize(
    ("main", "outcome"),
    [
        ({}, Outcome.PASS),
        ({"smtpd_forbid_bare_newline": "reject"}, Outcome.PASS),
        ({"smtpd_forbid_bare_newline": "no"}, Outcome.FAIL),
        ({"smtpd_forbid_unauth_pipelining": "no"}, Outcome.FAIL),
    ],
)
def test_smuggling_settings(main: dict[str, str], outcome: Outcome) -> None:
    assert probes.SmugglingSettings().ask(postfix(main)).outcome is outcome


@pytest.mark.parametrize(
    ("level", "outcome"),
    [
        ("3.6", Outcome.PASS),
        ("3.10", Outcome.PASS),
        ("3", Outcome.WARN),
        ("2", Outcome.WARN),
        ("1", Outcome.FAIL),
        ("0", Outcome.FAIL),
        ("", Outcome.UNKNOWN),
    ],
)
def test_compatibility_level(level: str, outcome: Outcome) -> None:
    host = postfix({"compatibility_level": level})
    assert probes.CompatibleLevel().ask(host).outcome is outcome


def test_parsing_silence_is_a_pass_and_a_word_is_a_fail() -> None:
    host = RecordedHost()
    for command in ("postfix check", "postconf -n", "postconf -M"):
        answer(host, command, "")
    assert probes.PostfixParses().ask(host).outcome is Outcome.PASS
    answer(
        host, "postconf -n", "", "postconf: warning: main.cf: unused parameter: mynetwork=\x1b[2J"
    )
    result = probes.PostfixParses().ask(host)
    assert result.outcome is Outcome.FAIL
    assert "unused parameter" in result.said
    assert "\x1b" not in result.said
    answer(host, "postconf -n", "", code=1)
    assert probes.PostfixParses().ask(host).outcome is Outcome.FAIL
    del host.answers["postfix check"]
    assert probes.PostfixParses().ask(host).outcome is Outcome.UNKNOWN


def test_reading_back() -> None:
    host = RecordedHost()
    answer(host, "postconf a b", "a = 1\nb = x, y\n", "")
    wanted = {"a": "1", "b": "x,  y"}
    assert probes.PostfixReadBack(wanted).ask(host).outcome is Outcome.PASS
    assert probes.PostfixReadBack(tuple(wanted.items())).ask(host).outcome is Outcome.PASS
    result = probes.PostfixReadBack({"a": "2", "b": "x, y"}).ask(host)
    assert result.outcome is Outcome.FAIL
    assert result.expected == "a = 2"
    kept = ["/etc/postfix/main.cf a", "/etc/postfix/master.cf b"]
    warning = probes.PostfixReadBack({"a": "2", "b": "x, y"}).besides(kept).ask(host)
    assert (warning.outcome, warning.expected) == (Outcome.WARN, "a = 2")
    assert warning.said == "kept as edited by hand: a is '1'"
    both = probes.PostfixReadBack({"a": "2", "b": "z"}).besides(kept).ask(host)
    assert (both.outcome, both.expected) == (Outcome.FAIL, "b = z")
    assert probes.PostfixReadBack(wanted).besides(kept).ask(host).outcome is Outcome.PASS
    answer(host, "postconf a b", "a = 1\n", "postconf: warning: b: unknown parameter")
    assert "does not know b" in probes.PostfixReadBack(wanted).ask(host).said
    assert probes.PostfixReadBack(wanted).ask(RecordedHost()).outcome is Outcome.UNKNOWN


def test_what_is_outdated_is_named_with_its_replacement() -> None:
    host = RecordedHost()
    answer(host, "postconf -n", "myhostname = mail\n")
    assert probes.NothingDeprecated().ask(host).outcome is Outcome.PASS
    answer(host, "postconf -n", "smtp_use_tls = yes\n", "foo: support will be removed")
    result = probes.NothingDeprecated().ask(host)
    assert result.outcome is Outcome.WARN
    assert "smtp_tls_security_level" in result.said
    assert "2 outdated" in result.said
    assert probes.NothingDeprecated().ask(RecordedHost()).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("used", "files", "outcome"),
    [
        ("a_maps = hash:/etc/a\n", {"/etc/a": 1, "/etc/a.db": 2}, Outcome.PASS),
        ("a_maps = hash:/etc/a\n", {"/etc/a": 3, "/etc/a.db": 2}, Outcome.WARN),
        ("a_maps = hash:/etc/a\n", {"/etc/a": 1}, Outcome.FAIL),
        ("a_maps = proxy:hash:/etc/a, regexp:/etc/b\n", {"/etc/a.db": 1}, Outcome.PASS),
        ("a_maps = lmdb:/etc/a\n", {"/etc/a.lmdb": 1}, Outcome.FAIL),
        ("smtp_tls_session_cache_database = btree:/var/c\n", {}, Outcome.PASS),
        ("r = permit, check_x_access {hash:/etc/a}\n", {}, Outcome.FAIL),
    ],
)
def test_tables(used: str, files: dict[str, int], outcome: Outcome) -> None:
    host = RecordedHost()
    answer(host, "postconf -m", "btree\nhash\nregexp\nproxy\n")
    answer(host, "postconf -nx", used)
    answer(host, "postconf -Px", "")
    answer(host, "postconf -x alias_maps alias_database", "")
    host.files |= {path: Written(b"", mtime_ns=mtime) for path, mtime in files.items()}
    assert probes.MapsUsable().ask(host).outcome is outcome
    assert probes.MapsUsable().ask(RecordedHost()).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a,b c\t d", ["a", "b", "c", "d"]),
        ("{ a b }, c", ["{ a b }", "c"]),
        ("{ a { b, c } } d", ["{ a { b, c } }", "d"]),
        ("", []),
    ],
)
def test_lists_are_split_as_smtpd_splits_them(value: str, expected: list[str]) -> None:
    assert list(words(value)) == expected
