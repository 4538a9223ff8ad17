"""For every test: the signals of a terminal, whatever started the tests."""

import signal

pytest_plugins = ["support.costs", "support.rows"]

# A shell starts what it puts into the background with SIGINT ignored, nohup with SIGHUP, and
# children inherit that: Ctrl+C and the end of a terminal would reach nobody.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
