"""What the app and the worker say to each other: one JSON object a line."""
