"""Models that turn texts into vectors, by name. Importing this loads none, and no library of one."""
