"""One module per command, or per option that does something else (`index_status`).

Each has one public function, `run(config, workspace, progress)`. Stages share data on disk and
never import each other.
"""
