"""The training loop and its parts: losses, optimisers, sharding, checkpoints."""
