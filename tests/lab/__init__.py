"""Real hosts for the tests: fresh Debian machines, and a small internet around them."""
