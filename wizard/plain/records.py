"""The DNS records that the steps need, and how they stand: a page that can be asked anew."""

from __future__ import annotations

from mailwizard.plain.contract import Engine
from mailwizard.plain.terminal import Terminal
from mailwizard.stages import State

LABEL = "DNS records: what is needed, and what is there"
_MORE = """\
As lines for the zone's own file:
  sudo mailwizard dns --zone
Sent to the zone's server with a key:
  sudo mailwizard dns --publish --key FILE
Waiting until all servers have them:
  sudo mailwizard dns --wait 30"""


def show_records(engine: Engine, terminal: Terminal) -> None:
    """Show every record beside what is answered, until the person goes on; changes nothing."""
    needed = engine.records()
    if not needed:
        terminal.say("\nNo record is known yet: they begin with this host's full name.")
        return
    # slow to load, and seldom needed
    from mailwizard.dnsdesk import table

    terminal.heading("DNS records")
    while True:
        terminal.say("Asking the zones' own servers, this host's resolver and public ones ...\n")
        found = engine.look_up(needed)
        terminal.lines(table(found, colour=terminal.colour, width=terminal.width))
        if any(status.state is State.PENDING for status in engine.states()):
            terminal.say("\nFrom the answers so far; steps ahead add theirs, such as the DKIM key.")
        terminal.say(f"\n{_MORE}")
        if terminal.choose("DNS records. What next?", ("Go on", "Ask again")) == 0:
            return
