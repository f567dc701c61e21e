"""Pictures and captions: found, read, sized, encoded once, and put into batches."""
