"""A run from its folder to its adapter: set-up, steps, previews, checkpoints."""
