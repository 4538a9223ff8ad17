"""Secrets where the administrator keeps them: an environment variable, or a private file."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Mapping

from mailwizard.errors import BadUsage, UnfitSecret
from mailwizard.model import SecretRef

LONGEST = 4096
# formats and joiners, line and paragraph separators, what Unicode has not given a meaning
_HIDDEN = frozenset({"Cf", "Zl", "Zp", "Co", "Cn", "Cs"})
_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"


def read_secret(
    ref: SecretRef, environ: Mapping[str, str], *, uid: int | None = None, lines: bool = False
) -> str:
    """The secret itself; a file must be 0600 and the caller's own, and no message repeats it.

    It is one line, unless `lines` allows more (a key file).
    """
    if ref.env:
        place = f"the environment variable {ref.env}"
        text = environ.get(ref.env, "")
    else:
        place = ref.file
        text = _from_file(ref.file, os.geteuid() if uid is None else uid)
    return _checked(text, place, lines)


def _from_file(path: str, uid: int) -> str:
    try:
        # O_NONBLOCK: a named pipe must not keep an unattended run waiting.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadUsage(
            f"the secret file {path} cannot be read: {error.strerror}",
            hint="It must be a plain file, not a link, that you own, with mode 0600.",
        ) from None
    try:
        _refuse_exposed(path, os.fstat(handle), uid)
        return os.read(handle, LONGEST + 2).decode("utf-8")
    except UnicodeDecodeError:
        raise BadUsage(
            f"the secret file {path} is not UTF-8 text", hint="Save it as UTF-8."
        ) from None
    finally:
        os.close(handle)


def _refuse_exposed(path: str, about: os.stat_result, uid: int) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise BadUsage(f"the secret file {path} is not a plain file", hint="Name a plain file.")
    if about.st_uid != uid:
        raise BadUsage(
            f"the secret file {path} belongs to user {about.st_uid}, not to you (user {uid})",
            hint=f"chown {uid} {path}",
        )
    if about.st_mode & 0o077:
        raise BadUsage(
            f"others can read the secret file {path} (mode {stat.S_IMODE(about.st_mode):04o})",
            hint=f"chmod 0600 {path}, and change the secret if others may have read it.",
        )


def _checked(text: str, place: str, lines: bool) -> str:
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise BadUsage(f"{place} is not set or empty", hint="Put the secret there and run again.")
    if len(secret) > LONGEST:
        raise BadUsage(f"{place} holds more than {LONGEST} characters", hint="Is it the right one?")
    if not lines and any(ord(char) < 32 or 127 <= ord(char) < 160 for char in secret):
        raise BadUsage(
            f"{place} holds more than one line, or a control character",
            hint="The secret must be one line of visible characters.",
        )
    if odd := _unseen(secret) or ("" if lines else _untypable(secret)):
        raise UnfitSecret(
            f"{place} holds {odd}",
            hint="Nobody types that at a login. Write the secret anew without it, in an editor "
            "that saves plain UTF-8 without a mark of its own.",
        )
    return secret


def _unseen(secret: str) -> str:
    """The first character that nobody sees, by its name and place."""
    for place, char in enumerate(secret, 1):
        if char == "\ufeff" and place == 1:
            return "a byte-order mark (U+FEFF) before the secret"
        hidden = unicodedata.category(char) in _HIDDEN or char in _FILLERS
        if hidden or (char.isspace() and ord(char) > 127):
            name = unicodedata.name(char, "no name").lower()
            kind = "a blank that is none" if char.isspace() else "an invisible character"
            return f"{kind} as its character {place}: U+{ord(char):04X} ({name})"
    return ""


def _untypable(secret: str) -> str:
    """What is seen, and would be typed otherwise."""
    # one at its beginning is seen by whoever reads the file, and may be meant
    if secret.endswith(" "):
        return "a blank at its end"
    composed = unicodedata.normalize("NFC", secret)
    if composed != secret:
        place = next(
            (
                n
                for n, (one, two) in enumerate(zip(secret, composed, strict=False), 1)
                if one != two
            ),
            len(composed),
        )
        return f"a letter in parts at character {place} (NFD), where keyboards send it whole (NFC)"
    return ""
