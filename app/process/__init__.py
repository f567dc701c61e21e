"""The worker process as the app sees it."""
