"""The training loop and all that it needs: losses, optimisers, sharding, checkpoints."""
