"""The steps of the HOWTO, in their order."""
