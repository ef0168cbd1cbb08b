"""The routes: each takes what HTTP brings to the room that answers it."""
