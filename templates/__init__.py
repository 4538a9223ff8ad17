"""The configuration files and scripts that the steps write."""
