"""Bodies of requests, written by hand."""

from __future__ import annotations

NAMES = ["Lady Gaga", "The Fame", "Poker Face", {"name": "Just Dance", "confusables": ["LoveGame"]}, "RedOne"]
FOUR = (
    "<think>Who?</think>\n\nLady Gaga's The Fame has Poker Face; RedOne made it. "
    "The answer is Moroccan-Swedish."
)
FIVE = FOUR.replace("Poker Face;", "Poker Face and Just Dance;")


def group(*responses, **fields):
    """The worked example of the paper with these responses."""
    return {
        "question": "What is the nationality of the common producer?",
        "answer": {"value": "Moroccan-Swedish", "aliases": ["Swedish-Moroccan"]},
        "rubric": {"entities": NAMES},
        "rollouts": [{"response": each} if isinstance(each, str) else each for each in responses],
        **fields,
    }


def rollout(**fields):
    """A body of /evaluate."""
    info = {
        "question": "q",
        "rubrics": ["Oman", "Iran"],
        "rubric_reward_ratio": 0.3,
        "dataset_name": "longqa",
        "rubric_use_reasoning_content": False,
        "rubric_use_content": True,
    }
    return {
        "label": "Muscat",
        "extra_reward_info": info,
        "response": "In Oman. The answer is Muscat.",
        **fields,
    }


def long_text(seed, size=120_000):
    """A text of about this size that no other seed gives, and that names four of the five."""
    return (
        f"{FOUR[:-1]} {seed}.\n"
        + "A plain sentence of common words that name nobody. " * (size // 51)
        + FOUR[20:]
    )
