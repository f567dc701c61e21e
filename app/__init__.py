"""The Qt front end. It never imports torch: the engine is another process."""
