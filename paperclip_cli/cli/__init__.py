"""The Typer application.

Each command parses its options into a configuration, imports its stage, runs it, and prints the
report.
"""
