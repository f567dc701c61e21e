"""Captioners at work: a kind a file; which there are is told by core.base.captioners."""
