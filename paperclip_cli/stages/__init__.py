"""One file a subcommand, or one for what it does instead (`index_status` for `index --status`); each has one public function,
`run(config, workspace, progress)`. Stages meet on disk and never import each other."""
