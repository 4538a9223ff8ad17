"""Answers that some files alone decide, kept while those files are what they were."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from mailwizard.model import Completed

Stamp = tuple[Hashable, ...]


@dataclass
class _Answer:
    """One question's last answer; who asks the same just then waits for it."""

    asking: threading.Lock = field(default_factory=threading.Lock)
    stamp: Stamp = ()
    said: Completed | None = None


class Answered:
    """The last answer to each question, good for one state of the files that it depends on."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, _Answer] = {}
        self._lock = threading.Lock()

    def get(self, question: Hashable, of: Sequence[str], ask: Callable[[], Completed]) -> Completed:
        """The answer to this question for the files as they are now; asked where none is known."""
        with self._lock:
            answer = self._answers.setdefault(question, _Answer())
        with answer.asking:
            before = _stamp(of)
            if answer.said is None or answer.stamp != before:
                answer.said, answer.stamp = ask(), before
                # written to while it was asked: nobody knows which state was told of
                if not answer.said.ok or _stamp(of) != before:
                    said, answer.said = answer.said, None
                    return said
            return answer.said


def _stamp(paths: Sequence[str]) -> Stamp:
    """What tells one state of the files from every other, and this host's name with them."""
    return (os.uname().nodename, *map(_state, paths))


def _state(path: str) -> Hashable:
    try:
        about = os.stat(path)
    except OSError as error:
        return error.errno
    # a file that is written over in place keeps its number, a restored one its times
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
