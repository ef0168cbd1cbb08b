"""The shell around `rubric`: HTTP, command line, settings, caches, worker processes."""
