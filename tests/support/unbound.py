"""A host's own resolver, in the lab: the lab's name server stands for the world's."""

from __future__ import annotations

from lab.host import Host

DROP_IN = "/etc/unbound/unbound.conf.d/lab.conf"
# its zones are not signed, and .test is nobody's in unbound
_FORWARD = """\
server:
  module-config: "iterator"
  local-zone: "test." nodefault
forward-zone:
  name: "."
  forward-addr: {address}
"""


def forwards(host: Host, address: str) -> None:
    """Let the host's resolver ask this server, once it is there."""
    host.run("mkdir -p /etc/unbound/unbound.conf.d")
    host.put(_FORWARD.format(address=address), DROP_IN)
