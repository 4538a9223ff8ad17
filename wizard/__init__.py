"""Turns a fresh Linux host into a working, verified mail server."""

__version__ = "0.1.0"
