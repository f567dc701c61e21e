"""The window and its four pages."""
