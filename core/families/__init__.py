"""Model families: one file each, every one a value."""
