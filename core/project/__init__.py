"""The folder of a project and of its runs; free of torch."""
