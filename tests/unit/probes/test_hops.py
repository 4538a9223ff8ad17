"""What a door offers and a hop behind it does not carry."""

from __future__ import annotations

import pytest
from support.fake_servers import FakeSmtp
from support.recorded import RecordedHost

from mailwizard import probes
from mailwizard.model import Completed, Outcome

PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN
HERE = "127.0.0.1"
DOOR = ("SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "PIPELINING")


def offering(*words: str) -> FakeSmtp:
    lines = "".join(f"250-{word}\r\n" for word in ("mail.example.test", *words))
    return FakeSmtp(ehlo=f"{lines}250 END".encode())


def configured(overrides: str = "", settings: str = "") -> RecordedHost:
    """A host whose Postfix is so."""
    settings += "smtpd_discard_ehlo_keywords = etrn, silent-discard\nmessage_size_limit = 1000\n"
    overrides += "smtp/inet/smtpd_sasl_auth_enable = no\n"
    return RecordedHost(
        answers={
            "postconf -x": Completed((), 0, settings),
            "postconf -Px": Completed((), 0, overrides),
        }
    )


CASES = [
    (DOOR, ("SIZE", "8BITMIME", "SMTPUTF8", "DSN"), PASS, "8BITMIME, DSN, SMTPUTF8 at the"),
    (DOOR, ("SIZE 0", "8BITMIME", "SMTPUTF8", "DSN"), PASS, "at the door and on"),
    (DOOR, ("8BITMIME", "SMTPUTF8", "DSN"), PASS, "at the door and on"),
    (DOOR, ("8BITMIME", "DSN"), FAIL, "SMTPUTF8 is offered by the door and not by the hop"),
    (DOOR, ("8BITMIME", "SMTPUTF8"), FAIL, "DSN is offered"),
    (DOOR, ("SMTPUTF8", "DSN"), FAIL, "8BITMIME is offered"),
    (DOOR, ("8BITMIME",), FAIL, "DSN and SMTPUTF8 is offered by the door and not by"),
    ((*DOOR, "BINARYMIME"), DOOR, FAIL, "BINARYMIME is offered"),
    (("SIZE 1000",), ("SIZE 1000",), FAIL, "takes 1000 octets, no more than the door"),
    (("SIZE 1000",), ("SIZE 2000",), PASS, "at the door and on"),
    ((), (), PASS, "at the door and on"),
]


@pytest.mark.parametrize(("door", "hop", "outcome", "said"), CASES)
def test_each_extension_of_the_door_is_looked_for_behind_it(
    door: tuple[str, ...], hop: tuple[str, ...], outcome: Outcome, said: str
) -> None:
    with offering(*door) as first, offering(*hop) as second:
        probe = probes.HopsCarry((second.port,), server=HERE, port=first.port)
        result = probe.ask(configured())
    assert (result.outcome, said in result.said) == (outcome, True), result
    assert str(second.port) in result.said


def test_a_hop_that_is_not_there_is_unknown() -> None:
    with offering(*DOOR) as gone:
        pass
    with offering(*DOOR) as door:
        result = probes.HopsCarry((gone.port,), server=HERE, port=door.port).ask(RecordedHost())
    assert result.outcome is UNKNOWN, result


DISCARD = "etrn,silent-discard,smtputf8"
OWN = [
    ("yes", "verify", DISCARD, PASS, "at the door and on"),
    ("no", "sendmail, verify", "etrn", PASS, "at the door and on"),
    ("yes", "sendmail, verify", DISCARD, FAIL, "SMTPUTF8 is offered by sendmail(1) and not by"),
    ("yes", "all", DISCARD, FAIL, "offered by sendmail(1) and not"),
    ("yes", "verify", "etrn", FAIL, "offered by submissions/inet and not by the hop"),
    ("yes", "sendmail", "", FAIL, "offered by sendmail(1), submissions/inet and not"),
]


@pytest.mark.parametrize(("enabled", "classes", "discard", "outcome", "said"), OWN)
def test_the_doors_of_our_own_people_are_others(
    enabled: str, classes: str, discard: str, outcome: Outcome, said: str
) -> None:
    settings = f"smtputf8_enable = {enabled}\nsmtputf8_autodetect_classes = {classes}\n"
    options = {"smtpd_sasl_auth_enable": "yes", "smtpd_discard_ehlo_keywords": discard}
    rows = "".join(f"submissions/inet/{name} = {value}\n" for name, value in options.items())
    host = configured(rows, settings)
    with offering(*DOOR) as door, offering("SIZE", "DSN") as hop:
        probe = probes.HopsCarry((hop.port,), own=(hop.port,), server=HERE, port=door.port)
        result = probe.ask(host)
    assert (result.outcome, said in result.said) == (outcome, True), result


@pytest.mark.parametrize(
    ("cleanup", "outcome"),
    [
        ("back/inet/cleanup_service_name = free\nfree/unix/message_size_limit = 0\n", PASS),
        ("back/inet/cleanup_service_name = free\nfree/unix/message_size_limit = 2000\n", PASS),
        ("back/inet/cleanup_service_name = free\nfree/unix/message_size_limit = 900\n", FAIL),
        ("back/inet/message_size_limit = 0\n", FAIL),
    ],
)
def test_what_is_behind_a_way_back_has_no_smaller_limit(cleanup: str, outcome: Outcome) -> None:
    with offering(*DOOR) as door, offering("SIZE", *DOOR[1:]) as hop:
        host = configured(cleanup.replace("back/", f"127.0.0.1:{hop.port}/"))
        probe = probes.HopsCarry((hop.port,), server=HERE, port=door.port)
        result = probe.ask(host)
    assert (result.outcome, "no more than the door" in result.said) == (outcome, outcome is FAIL)
