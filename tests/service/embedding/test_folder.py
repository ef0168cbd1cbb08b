"""A folder cannot make the service run its code, nor load what is not safe to load."""

from __future__ import annotations

import json
import shutil

import pytest

from service.embedding.backend import MissingPart, ModelFault
from service.embedding.folder import find_folder, read_folder


@pytest.fixture
def copy(bert, tmp_path):
    return shutil.copytree(bert, tmp_path / "copy")


def changed(path, change):
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def test_a_plain_folder_runs_unpadded(bert):
    folder = read_folder(bert)
    assert folder.form is not None
    assert folder.form.pooling == "mean"
    assert folder.longest == 40


def test_what_the_unpadded_encoder_does_not_know_is_left_to_the_library(copy):
    changed(copy / "1_Pooling" / "config.json", lambda pooling: pooling.update(pooling_mode_max_tokens=True))
    assert read_folder(copy).form is None


@pytest.mark.parametrize(
    "kind",
    ["evil.Model", "sentence_transformers.models.Router", "os.system", "sentence_transformersx.Pooling"],
)
def test_a_step_that_is_not_the_librarys_own_is_refused(copy, kind):
    (copy / "evil.py").write_text("raise SystemExit('ran')")
    changed(copy / "modules.json", lambda steps: steps[1].update(type=kind))
    with pytest.raises(ModelFault, match="code of its own"):
        read_folder(copy)


def test_a_configuration_that_names_code_is_refused(copy):
    changed(copy / "config.json", lambda config: config.update(auto_map={"AutoModel": "evil.Model"}))
    with pytest.raises(ModelFault, match="code of its own"):
        read_folder(copy)


@pytest.mark.parametrize(
    ("activation", "weights"),
    [("os.abort", "model.safetensors"), ("torch.nn.modules.activation.Tanh", "pytorch_model.bin")],
)
def test_an_activation_from_anywhere_and_pickled_weights_of_a_step_are_refused(copy, activation, weights):
    dense = {"type": "sentence_transformers.models.Dense", "path": "2_Dense", "idx": 2, "name": "2"}
    (copy / "2_Dense").mkdir()
    (copy / "2_Dense" / "config.json").write_text(json.dumps({"activation_function": activation}))
    (copy / "2_Dense" / weights).touch()
    changed(copy / "modules.json", lambda steps: steps.append(dense))
    with pytest.raises(ModelFault, match="code of its own"):
        read_folder(copy)


def test_a_step_outside_the_folder_is_refused(copy):
    changed(copy / "modules.json", lambda steps: steps[1].update(path="../elsewhere"))
    with pytest.raises(ModelFault):
        read_folder(copy)


def test_an_encoder_in_a_folder_of_its_own_is_found(copy):
    (copy / "0_Transformer").mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
        (copy / name).rename(copy / "0_Transformer" / name)
    changed(copy / "modules.json", lambda steps: steps[0].update(path="0_Transformer"))
    folder = read_folder(copy)
    assert folder.form is not None
    assert (folder.home, folder.longest) == (copy / "0_Transformer", 40)


def test_weights_that_are_not_safetensors_are_refused(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelFault, match="safetensors"):
        read_folder(copy)


@pytest.mark.parametrize("model", ["no/such/folder", "-not-a-name-"])
def test_a_model_that_is_nowhere_is_told_by_name(model):
    with pytest.raises(MissingPart, match=model):
        find_folder(model)
