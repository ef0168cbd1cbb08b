"""What a training loop imports to get rewards from a Cairn service; light beside a trainer's own packages."""
