"""The offline model is the official one, and nothing of its distribution runs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from service.embedding.backend import Choice, ModelFault
from service.embedding.builtin import check, find_files
from service.embedding.direct import Direct
from service.embedding.loading import load


@pytest.fixture(scope="module")
def builtin():
    return load(Choice(device="cpu", threads=1))


def test_it_knows_other_names_for_the_same_thing(builtin):
    names = ["New York City", "NYC", "Apollo 11", "Apollo 12", "the highlands of Guatemala"]
    near = Direct(builtin).embed(names) @ Direct(builtin).embed(names).T
    # published for this model: .92 and .93
    np.testing.assert_allclose([near[0, 1], near[2, 3]], [0.9176, 0.9298], atol=1e-4)
    assert near[0, 4] < 0.3


def test_the_company_of_real_texts_moves_a_similarity_by_no_more_than_the_band(builtin):
    texts = [f"{name} {number}" for name in ("Apollo", "World War", "Saint", "") for number in range(12)]
    direct = Direct(builtin)
    alone, together = direct.embed_alone(texts), direct.embed(texts)
    assert np.abs(together @ together.T - alone @ alone.T).max() < builtin.band


def test_a_vector_decided_alone_has_the_same_bits_whatever_the_threads_and_what_came_before(builtin):
    inputs = builtin.prepare(["Apollo 11", "the highlands of Guatemala", "a " * 100])
    first = [builtin.encode_alone(one).tobytes() for one in inputs]
    again = load(Choice(device="cpu", threads=2))
    again.encode(again.prepare([f"company {number}" for number in range(50)]))
    assert [again.encode_alone(one).tobytes() for one in inputs] == first


def test_a_file_that_was_changed_is_not_loaded(tmp_path):
    files = find_files()
    changed = tmp_path / "tokenizer.json"
    changed.write_bytes(files["tokenizer.json"].read_bytes().replace(b'"the"', b'"teh"'))
    with pytest.raises(ModelFault, match="not the official file"):
        check(files | {"tokenizer.json": changed})


def test_none_of_its_distributions_code_is_run():
    program = (
        "import sys\n"
        "from service.embedding.loading import load\n"
        "from service.embedding.backend import Choice\n"
        "load(Choice(device='cpu'))\n"
        "print([name for name in sys.modules if name.startswith(('gt_all', 'sentence_tr', 'transformers'))])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
