"""Small models with random weights, in the folders that sentence-transformers reads."""

from __future__ import annotations

import json
import random
from importlib.util import find_spec

import pytest

INSTALLED = all(map(find_spec, ("torch", "tokenizers", "safetensors")))
collect_ignore_glob = [] if INSTALLED else ["test_*.py"]

if INSTALLED:
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE, WordPiece


def pytest_report_header() -> str:
    return f"embedding backends: {'tested' if INSTALLED else 'NOT TESTED, the extra `embed` is missing'}"


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
PAD, UNKNOWN = "[PAD]", "[UNK]"
SPECIAL = [PAD, UNKNOWN, "[CLS]", "[SEP]", "[MASK]"]
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 48,
    "initializer_range": 0.5,
}


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """BERT, the mean of its tokens."""
    transformers = pytest.importorskip("transformers")

    tokenizer = _word_pieces()
    config = transformers.BertConfig(vocab_size=tokenizer.get_vocab_size(), **SHAPE)
    return _written(
        tmp_path_factory.mktemp("bert"), transformers.BertModel, config, tokenizer, pooling="mean_tokens"
    )


@pytest.fixture(scope="session")
def roberta(tmp_path_factory):
    """RoBERTa, its first token."""
    transformers = pytest.importorskip("transformers")

    tokenizer = _byte_pairs()
    config = transformers.RobertaConfig(vocab_size=tokenizer.get_vocab_size(), pad_token_id=1, **SHAPE)
    return _written(
        tmp_path_factory.mktemp("roberta"), transformers.RobertaModel, config, tokenizer, pooling="cls_token"
    )


@pytest.fixture(scope="session")
def distilbert(tmp_path_factory):
    """An architecture that only the library knows."""
    transformers = pytest.importorskip("transformers")

    tokenizer = _word_pieces()
    config = transformers.DistilBertConfig(
        vocab_size=tokenizer.get_vocab_size(), dim=32, n_layers=2, n_heads=4, hidden_dim=64
    )
    folder = tmp_path_factory.mktemp("distilbert")
    return _written(folder, transformers.DistilBertModel, config, tokenizer, pooling="mean_tokens")


def _written(folder, kind, config, tokenizer, *, pooling):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch").manual_seed(7)
    kind(config).eval().save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, unk_token=UNKNOWN, model_max_length=40
    ).save_pretrained(folder)
    steps = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [
        {"idx": at, "name": str(at), "path": place, "type": f"sentence_transformers.models.{step}"}
        for at, (step, place) in enumerate(steps)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    for _, place in steps:
        (folder / place).mkdir(exist_ok=True)
    modes = {"word_embedding_dimension": 32, f"pooling_mode_{pooling}": True}
    if pooling != "mean_tokens":
        modes["pooling_mode_mean_tokens"] = False
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes))
    return folder


def _word_pieces():
    chance = random.Random(5)
    words = {"".join(chance.choices(LETTERS, k=chance.randint(2, 4))) for _ in range(300)}
    pieces = [*SPECIAL, *LETTERS, *sorted(words), *(f"##{each}" for each in [*LETTERS, *sorted(words)])]
    tokenizer = Tokenizer(WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def _byte_pairs():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<s>", "[PAD]", "</s>", "[UNK]", *alphabet, "Ġa", "an"]
    tokenizer = Tokenizer(BPE({piece: at for at, piece in enumerate(pieces)}, [("Ġ", "a"), ("a", "n")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.add_special_tokens(["<s>", "[PAD]", "</s>"])
    return tokenizer
