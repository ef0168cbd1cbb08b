"""A page to look into groups, rewards and drift: the files that it is made of, and what was scored lately."""
