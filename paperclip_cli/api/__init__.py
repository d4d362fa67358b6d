"""The Python API: what `import paperclip_cli` offers, under the names of the commands.

The package itself imports these modules when one of their names is first used.
"""
