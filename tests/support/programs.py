"""The few programs that changes talk to, as far as a recorded host needs them."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from mailwizard import maincf
from mailwizard.model import Completed

if TYPE_CHECKING:
    from support.recorded import RecordedLook

Program = Callable[["RecordedLook", Sequence[str], str], Completed]

DEFAULTS = {
    "mynetworks": "127.0.0.0/8 [::1]/128",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, "
    "defer_unauth_destination",
}
SUFFIXES = {"hash": ".db", "lmdb": ".lmdb"}


def hostname(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Show or set the running name; `hostname -f` finds it in /etc/hosts."""
    names = [word for word in argv[1:] if not word.startswith("-")]
    if names:
        look.memory["hostname"] = names[0]
        return Completed(tuple(argv), 0)
    short = look.memory.get("hostname", "localhost")
    if "-f" not in argv:
        return Completed(tuple(argv), 0, short + "\n")
    hosts = [line.split() for line in look.read("/etc/hosts").decode().splitlines()]
    full = next((fields[1] for fields in hosts if short in fields[1:]), "")
    return Completed(tuple(argv), 0 if full else 1, full)


def postmap(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Compile a table: the file it makes is as new as its source; -q finds nothing."""
    if "-q" in argv:
        return Completed(tuple(argv), 1)
    kind, _, source = argv[-1].partition(":")
    made = look.files[source]
    look.files[source + SUFFIXES[kind]] = type(made)(b"compiled", made.mode, mtime_ns=made.mtime_ns)
    return Completed(tuple(argv), 0)


def postconf(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Show and set parameters and service options, of the host or of a draft."""
    words = list(argv[1:])
    folder = words[words.index("-c") + 1] if "-c" in words else "/etc/postfix"
    rest = [word for word in words if word not in {"-c", folder}]
    option, names = (rest[0], rest[1:]) if rest and rest[0].startswith("-") else ("", rest)
    act = {"-e": _set_main, "-P": _master, "-Px": _master, "-n": _nothing}
    act |= {"-M": _services, "-MX": _ended}
    out = act.get(option, _show_main)(look, folder, names)
    return Completed(tuple(argv), 0, out)


def _nothing(look: RecordedLook, folder: str, names: Sequence[str]) -> str:
    return ""


def _main(look: RecordedLook, folder: str) -> str:
    return look.read(f"{folder}/main.cf").decode("utf-8", "surrogateescape")


def _show_main(look: RecordedLook, folder: str, names: Sequence[str]) -> str:
    values = {**DEFAULTS, **maincf.parse(_main(look, folder))}
    return "".join(f"{name} = {values[name]}\n" for name in names if name in values)


def _set_main(look: RecordedLook, folder: str, settings: Sequence[str]) -> str:
    path = f"{folder}/main.cf"
    wanted = {name: value for name, _, value in (each.partition(" = ") for each in settings)}
    edited = maincf.edited(_main(look, folder), wanted)
    look.files[path] = type(look.files[path])(edited.encode("utf-8", "surrogateescape"))
    return ""


def _services(look: RecordedLook, folder: str, settings: Sequence[str]) -> str:
    for setting in settings:
        _set_service(look, f"{folder}/master.cf", *setting.split("=", 1))
    lines = look.read(f"{folder}/master.cf").decode().splitlines()
    return "".join(f"{line}\n" for line in lines if line[:1] not in {" ", "#", ""})


def _ended(look: RecordedLook, folder: str, names: Sequence[str]) -> str:
    for name in names:
        _set_service(look, f"{folder}/master.cf", name)
    return ""


def _set_service(look: RecordedLook, path: str, name: str, *line: str) -> None:
    kept, ours = [], False
    for each in look.read(path).decode().splitlines():
        # options belong to the line above them
        if each[:1] not in {" ", "\t"}:
            ours = each.split()[:2] == name.split("/")
        kept += [] if ours else [each]
    look.files[path] = type(look.files[path])(("\n".join([*kept, *line]) + "\n").encode())


def _master(look: RecordedLook, folder: str, settings: Sequence[str]) -> str:
    path = f"{folder}/master.cf"
    lines = look.read(path).decode().splitlines()
    if not settings:
        return "".join(_options(lines))
    for setting in settings:
        name, _, value = setting.partition("=")
        service, kind, parameter = name.split("/")
        place = next(i for i, line in enumerate(lines) if line.split()[:2] == [service, kind])
        option, first = f"    -o {parameter}=", place + 1
        end = next((i for i in range(first, len(lines)) if lines[i][:1] != " "), len(lines))
        kept = [line for line in lines[first:end] if not line.startswith(option)]
        lines[first:end] = [f"{option}{value}", *kept]
    look.files[path] = type(look.files[path])(("\n".join(lines) + "\n").encode())
    return ""


def _options(lines: Sequence[str]) -> list[str]:
    found, service = [], ""
    for line in lines:
        if line[:1] not in {" ", "#", ""}:
            service = "/".join(line.split()[:2])
        elif line.lstrip().startswith("-o "):
            name, _, value = line.split("-o ", 1)[1].partition("=")
            found.append(f"{service}/{name} = {value}\n")
    return found


def getent(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Look up one account, recorded or made since."""
    if argv[1] != "passwd" or len(argv) < 3:
        return Completed(tuple(argv), 127, "", "not recorded")
    listed = look.answers.get("getent passwd")
    recorded = listed.out.splitlines() if listed else []
    found = [line for line in recorded if line.startswith(f"{argv[2]}:")]
    return Completed(tuple(argv), 0 if found else 2, "".join(f"{line}\n" for line in found))


def useradd(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Make an account."""
    listed = look.answers.get("getent passwd", Completed((), 0))
    row = f"{argv[-1]}:x:1002:1002::/home/{argv[-1]}:/bin/bash\n"
    look.answers["getent passwd"] = Completed((), 0, listed.out + row)
    return Completed(tuple(argv), 0)


def set_selections(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """debconf-set-selections."""
    for line in stdin.splitlines():
        package, question, _, value = line.split(" ", 3)
        look.memory[f"debconf {package} {question}"] = value
    return Completed(tuple(argv), 0)


def debconf_show(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """debconf-show."""
    known = {key.split(" ", 2)[2]: value for key, value in look.memory.items() if " " in key}
    return Completed(tuple(argv), 0, "".join(f"* {key}: {known[key]}\n" for key in known))


def openssl(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """Keys and certificates in words: each says whose it is, and never ends."""
    words = list(argv[1:])
    given = dict(pairwise(words))
    file = look.read(given.get("-in", "")).decode()
    match words:
        case ["genpkey", *_]:
            out = "(a new key)\n"
        case ["req", "-x509", *_]:
            out = f"(an authority: {given['-subj']}, {given['-days']} days)\n"
        case ["req", *_]:
            out = f"(a request: {given['-subj']})\n"
        case ["x509", "-req", *_]:
            asked = look.read(given["-extfile"]).decode()
            out = f"(a certificate for {given['-days']} days)\n{asked}"
        case ["x509", *_] if "-ext" in words:
            out = file.replace("subjectAltName=", "\n")
        case ["x509", *_] if "-text" in words:
            body = "".join(stdin.split("\n")[1:-2])
            names = base64.b64decode(body).decode()
            out = (
                "Not Before: Jan  1 00:00:00 2020 GMT\nNot After : Jan  1 00:00:00 2100 GMT\n"
                f"X509v3 Subject Alternative Name:\n    {names}\n"
            )
        case _:
            out = ""
    return Completed(tuple(argv), 0, out)


def certbot(look: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
    """certbot certonly: what it keeps, where the certificate says whose it is."""
    given = dict(pairwise(argv))
    names = [name for word, name in pairwise(argv) if word == "--domain"]
    if "--dry-run" not in argv:
        from support.recorded import Written

        folder = "/etc/letsencrypt"
        webroot = given.get("--webroot-path", "")
        way = f"webroot\nwebroot_path = {webroot}," if webroot else "standalone"
        kept = f"server = {given['--server']}\nauthenticator = {way}\n"
        pem = ssl.DER_cert_to_PEM_cert(", ".join(f"DNS:{name}" for name in names).encode())
        look.files[f"{folder}/live/mailwizard/fullchain.pem"] = Written(pem.encode())
        look.files[f"{folder}/renewal/mailwizard.conf"] = Written(kept.encode())
    return Completed(tuple(argv), 0)


EVERYWHERE: dict[str, Program] = {
    "certbot": certbot,
    "openssl": openssl,
    "hostname": hostname,
    "postmap": postmap,
    "postalias": postmap,
    "getent": getent,
    "useradd": useradd,
}
DEBCONF: dict[str, Program] = {
    "debconf-set-selections": set_selections,
    "debconf-show": debconf_show,
}
POSTFIX: dict[str, Program] = {"postconf": postconf}
