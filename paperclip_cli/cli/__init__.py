"""The Typer application: parse, make a configuration, import the stage, call it, render what it reports."""
