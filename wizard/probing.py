"""Probes asked all at once, their verdicts as they arrive; none may outlast its deadline (R26)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from mailwizard.errors import WizardError
from mailwizard.events import Event, ProbeDone, ProbeStarted
from mailwizard.model import Host, Outcome, Probe, Result

GRACE = 1.0


def ask_all(host: Host, probes: Sequence[tuple[str, Probe]]) -> Iterator[Event]:
    """For (step, probe): ProbeStarted for each, then ProbeDone in the order of the answers."""
    for step, probe in probes:
        yield ProbeStarted(step, probe.id, probe.title, probe.by_hand)
    # daemon-like: a probe that ignores its deadline must not hold up the end of the run
    pool = ThreadPoolExecutor(max_workers=max(1, len(probes)))
    begun = time.monotonic()
    waiting = {pool.submit(_ask, host, probe): (step, probe) for step, probe in probes}
    while waiting:
        limit = min(begun + probe.deadline + GRACE for _, probe in waiting.values())
        done, _ = wait(waiting, max(0.0, limit - time.monotonic()), FIRST_COMPLETED)
        now = time.monotonic()
        late = {f for f, (_, p) in waiting.items() if now > begun + p.deadline + GRACE}
        for future in done or late:
            step, probe = waiting.pop(future)
            result, seconds = _heard(future, probe, time.monotonic() - begun)
            yield ProbeDone(step, probe.id, probe.title, probe.by_hand, result, seconds)
    pool.shutdown(wait=False, cancel_futures=True)


def _heard(
    future: Future[tuple[Result, float]], probe: Probe, elapsed: float
) -> tuple[Result, float]:
    if not future.done():
        said = f"no verdict within {probe.deadline:.0f} s"
        return Result(Outcome.UNKNOWN, said, fix="Try again, or ask by hand."), elapsed
    return future.result()


def _ask(host: Host, probe: Probe) -> tuple[Result, float]:
    begun = time.monotonic()
    try:
        result = probe.ask(host)
    except WizardError as failed:
        result = Result(Outcome.UNKNOWN, f"could not ask: {failed.message}", fix=failed.hint)
    except Exception as failed:
        # a bug in one probe is one unknown verdict, not the end of the walk
        result = Result(Outcome.UNKNOWN, f"could not ask: {type(failed).__name__}: {failed}")
    return result, time.monotonic() - begun
