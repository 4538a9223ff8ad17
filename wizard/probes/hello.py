"""The first words of TLS, said by hand: what a server takes does not depend on our own library.

A ClientHello is sent and the answer read up to where it becomes secret (RFC 5246 7.4, RFC 8446 4).
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass, field

from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dialogue import Dialogue, Transcript
from mailwizard.probes.suites import name_of

SSL3, TLS10, TLS11, TLS12, TLS13 = range(0x0300, 0x0305)
VERSIONS = {SSL3: "SSLv3", TLS10: "TLSv1", TLS11: "TLSv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3"}
RENEGOTIATION_INFO, EXTENDED_MASTER_SECRET = 0xFF01, 0x0017
SHA1_SIGNATURES = (0x0201, 0x0203)
SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)
X25519 = 29
# x25519, secp256r1, secp384r1, secp521r1, ffdhe2048, ffdhe3072
_GROUPS = (X25519, 23, 24, 25, 256, 257)
_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    40: "handshake_failure",
    47: "illegal_parameter",
    50: "decode_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    109: "missing_extension",
    112: "unrecognized_name",
}
# RFC 7919: the ffdhe primes all begin like this
_FFDHE = bytes.fromhex("ffffffffffffffffadf85458a2bb4a9a")


@dataclass(frozen=True, slots=True)
class Offer:
    """What the client says that it can."""

    version: int
    suites: tuple[int, ...]
    compressions: bytes = b"\0"
    signatures: tuple[int, ...] = (*SIGNATURES, *SHA1_SIGNATURES)
    groups: tuple[int, ...] = _GROUPS


@dataclass(slots=True)
class Heard:
    """What the server chose; refused says which alert (or that it hung up), if it chose nothing."""

    refused: str = ""
    version: int = 0
    suite: int = 0
    compression: int = 0
    extensions: frozenset[int] = frozenset()
    dh_bits: int = 0
    dh_is_standard: bool = False
    group: int = 0
    signature: int = 0
    chain: list[bytes] = field(default_factory=list)


def say_hello(
    talk: Dialogue, offer: Offer, transcript: Transcript, *, whole: bool = False
) -> Heard:
    """Send a ClientHello; with `whole` also read certificate and key exchange (up to TLS 1.2)."""
    shown = f"{VERSIONS[offer.version]}, {len(offer.suites)} cipher suites"
    talk.send_raw(_record(offer), shown=f"(ClientHello: {shown})")
    heard = Heard()
    try:
        _listen(talk, heard, whole)
    except CannotAsk as trouble:
        # some servers hang up without a word at what they do not like
        if trouble.kind not in {Trouble.CLOSED, Trouble.RESET} or heard.version:
            raise
        heard.refused = "hung up"
    said = heard.refused or f"{VERSIONS.get(heard.version, '?')} {name_of(heard.suite)}"
    transcript.note(f"ServerHello: {said}" if heard.version else f"refused: {said}")
    return heard


def _record(offer: Offer) -> bytes:
    modern = offer.version == TLS13
    # RFC 8446 4.1.2: 1.3 calls itself 1.2, and says the truth in supported_versions
    told = min(offer.version, TLS12)
    suites = b"".join(struct.pack("!H", suite) for suite in offer.suites)
    body = struct.pack("!H", told) + secrets.token_bytes(32)
    body += _sized(secrets.token_bytes(32) if modern else b"", 1)
    body += _sized(suites, 2) + _sized(offer.compressions, 1)
    if offer.version > SSL3:
        body += _sized(_extensions(offer, modern), 2)
    message = b"\x01" + _sized(body, 3)
    return b"\x16" + struct.pack("!H", min(told, TLS10)) + _sized(message, 2)


def _extensions(offer: Offer, modern: bool) -> bytes:
    groups = b"".join(struct.pack("!H", one) for one in offer.groups)
    out = _extension(10, _sized(groups, 2)) + _extension(11, b"\x01\x00")
    out += _extension(RENEGOTIATION_INFO, b"\0") + _extension(EXTENDED_MASTER_SECRET, b"")
    if offer.version >= TLS12:
        signatures = b"".join(struct.pack("!H", one) for one in offer.signatures)
        out += _extension(13, _sized(signatures, 2))
    if modern:
        # any 32 octets are a public key of X25519 (RFC 7748 5); without one the server names the
        # group that it would have (RFC 8446 4.2.8)
        mine = struct.pack("!H", X25519) + _sized(secrets.token_bytes(32), 2)
        share = mine if X25519 in offer.groups else b""
        out += _extension(43, b"\x02\x03\x04") + _extension(51, _sized(share, 2))
    return out


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + _sized(data, 2)


def _sized(data: bytes, octets: int) -> bytes:
    return len(data).to_bytes(octets, "big") + data


def _listen(talk: Dialogue, heard: Heard, whole: bool) -> None:
    stream = b""
    while True:
        kind, _, size = struct.unpack("!BHH", talk.read_octets(5))
        if kind not in (20, 21, 22, 23) or size > 18432:
            raise CannotAsk(Trouble.GARBLED, "this is not TLS")
        data = talk.read_octets(size)
        if kind == 21:
            if data[:1] == b"\x01" and data[1:2] == b"\x70":
                continue  # RFC 6066 3: a warning that the name is not known; it goes on
            heard.refused = heard.refused or _ALERTS.get(data[1], f"alert {data[1]}")
            return
        if kind != 22:
            return
        stream += data
        while len(stream) >= 4 and len(stream) - 4 >= int.from_bytes(stream[1:4], "big"):
            end = 4 + int.from_bytes(stream[1:4], "big")
            if _message(heard, stream[0], stream[4:end], whole):
                return
            stream = stream[end:]


def _message(heard: Heard, kind: int, body: bytes, whole: bool) -> bool:
    """Take in one message of the handshake; whether that is all we wanted."""
    try:
        if kind == 2:
            _server_hello(heard, _Bytes(body))
            return not whole or heard.version == TLS13
        if kind == 11:
            certificates = _Bytes(_Bytes(body).sized(3))
            while certificates.left:
                heard.chain.append(certificates.sized(3))
        elif kind == 12:
            _key_exchange(heard, _Bytes(body))
    except (IndexError, struct.error) as error:
        raise CannotAsk(Trouble.GARBLED, "a TLS message that is cut short") from error
    return kind == 14


def _server_hello(heard: Heard, body: _Bytes) -> None:
    version = body.number(2)
    body.take(32)
    body.sized(1)
    heard.suite, heard.compression = body.number(2), body.number(1)
    found = {}
    extensions = _Bytes(body.sized(2) if body.left else b"")
    while extensions.left:
        kind = extensions.number(2)
        found[kind] = extensions.sized(2)
    heard.extensions = frozenset(found)
    heard.version = int.from_bytes(found[43], "big") if 43 in found else version


def _key_exchange(heard: Heard, body: _Bytes) -> None:
    name = name_of(heard.suite)
    if name.startswith("DHE-"):
        prime = body.sized(2)
        heard.dh_bits = int.from_bytes(prime, "big").bit_length()
        heard.dh_is_standard = prime.startswith(_FFDHE)
        body.sized(2)
        body.sized(2)
    elif name.startswith("ECDHE-"):
        body.take(1)
        heard.group = body.number(2)
        body.sized(1)
    else:
        return
    if heard.version >= TLS12 and body.left:
        heard.signature = body.number(2)


class _Bytes:
    """Octets read from the front; raises IndexError at their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def left(self) -> int:
        return len(self._data)

    def take(self, count: int) -> bytes:
        if count > len(self._data):
            raise IndexError(count)
        data, self._data = self._data[:count], self._data[count:]
        return data

    def number(self, octets: int) -> int:
        return int.from_bytes(self.take(octets), "big")

    def sized(self, octets: int) -> bytes:
        return self.take(self.number(octets))
