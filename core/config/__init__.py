"""Every option of a run, declared once; free of torch."""
