"""Small parts of the window: each shows a state and emits wishes."""
