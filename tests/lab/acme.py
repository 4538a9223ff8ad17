"""A certificate authority for tests: pebble, which asks the lab's name server and port 80."""

import ssl
import time
import urllib.request

from lab.errors import LabError
from lab.host import Host


class Acme:
    """The running authority; `directory` is what an ACME client is pointed at."""

    def __init__(self, host: Host, name: str) -> None:
        self.host, self.name = host, name
        host.run(["systemctl", "start", "pebble"])
        deadline = time.monotonic() + 10
        while True:
            try:
                self._fetch("https://{}:14000/dir")
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    log = host.run(["journalctl", "-u", "pebble", "-n", "20"]).stdout
                    raise LabError(f"pebble does not answer: {error}\n{log}") from error
                time.sleep(0.02)

    @property
    def directory(self) -> str:
        """Give the address of the ACME directory; its certificate is from the lab's authority."""
        return f"https://{self.name}:14000/dir"

    def root(self) -> bytes:
        """Give the certificate that vouches for those issued, new at each start (PEM)."""
        return self._fetch("https://{}:15000/roots/0")

    def _fetch(self, address: str) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        url = address.format(self.host.address)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(url, timeout=5) as answer:
            return bytes(answer.read())
