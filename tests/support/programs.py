"""The few programs that changes talk to, as far as a recorded host needs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    act = {"-e": _set_main, "-P": _master, "-Px": _master, "-M": _services, "-n": _nothing}
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


def _set_service(look: RecordedLook, path: str, name: str, line: str) -> None:
    old = look.read(path).decode().splitlines()
    kept = [each for each in old if each.split()[:2] != name.split("/")]
    look.files[path] = type(look.files[path])(("\n".join([*kept, line]) + "\n").encode())


def _master(look: RecordedLook, folder: str, settings: Sequence[str]) -> str:
    path = f"{folder}/master.cf"
    lines = look.read(path).decode().splitlines()
    if not settings:
        return "".join(_options(lines))
    for setting in settings:
        name, _, value = setting.partition("=")
        service, kind, parameter = name.split("/")
        place = next(i for i, line in enumerate(lines) if line.split()[:2] == [service, kind])
        lines.insert(place + 1, f"    -o {parameter}={value}")
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


EVERYWHERE: dict[str, Program] = {
    "hostname": hostname,
    "postmap": postmap,
    "postalias": postmap,
}
DEBCONF: dict[str, Program] = {
    "debconf-set-selections": set_selections,
    "debconf-show": debconf_show,
}
POSTFIX: dict[str, Program] = {"postconf": postconf}
