"""What a training loop imports to get rewards from a Cairn service; light beside a trainer's own packages.

from trainer_client import RewardClient

scored = RewardClient().score({"rubric": {...}, "answer": "...", "rollouts": [{"response": "..."}]})
scored.rewards  # (0.94,), or (None,) with the reason in scored.failures
"""

from trainer_client.blocking import RewardClient
from trainer_client.client import AsyncRewardClient, Group
from trainer_client.errors import ClientError, FixRequest, NotScored, StopRun, TryLater
from trainer_client.protocol import Scored
from trainer_client.settings import Settings

__all__ = [
    "AsyncRewardClient",
    "ClientError",
    "FixRequest",
    "Group",
    "NotScored",
    "RewardClient",
    "Scored",
    "Settings",
    "StopRun",
    "TryLater",
]
