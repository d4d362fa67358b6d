"""One file a subcommand, each with one public `run(config, workspace, progress)`; stages meet on disk and never import each other."""
