"""Randomised towers: every parameter tensor of the tower changes, and nothing else does."""

import numpy as np
import pytest
import torch
from saved_models import KINDS, save_model

from clip_grounding.gates.randomise import list_steps, permute, randomised, tower_parameters
from clip_grounding.models.loading import load_stock

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=KINDS)
def stock(small, tmp_path_factory, request):
    folder = tmp_path_factory.mktemp(request.param)
    return load_stock(save_model(request.param, folder, small.narratives["text"]).folder, CPU)


def copies(tensors):
    return {name: tensor.clone() for name, tensor in tensors}


@pytest.mark.parametrize("tower", ["image", "text"])
def test_every_tensor_of_the_tower_is_permuted_and_no_other(stock, tower):
    before, buffers = copies(stock.named_parameters()), copies(stock.named_buffers())
    own = {"image": "vis", "text": "text"}[tower]  # vision_model and visual_projection
    with randomised(stock, tower_parameters(stock, tower), seed=0):
        for name, parameter in stock.named_parameters():
            assert parameter.shape == before[name].shape
            changed = not torch.equal(parameter, before[name])
            assert changed == name.startswith(own), name
            np.testing.assert_array_equal(
                parameter.flatten().sort()[0], before[name].flatten().sort()[0]
            )
        for name, buffer in stock.named_buffers():
            assert torch.equal(buffer, buffers[name]), name
    for name, parameter in stock.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_the_towers_have_every_parameter_but_the_scale_and_bias_of_the_similarity(stock):
    towers = {*tower_parameters(stock, "image"), *tower_parameters(stock, "text")}
    left = {name for name, _ in stock.named_parameters()} - towers
    assert left <= {"logit_scale", "logit_bias"}


def test_permutations_depend_on_seed_number_and_name_alone(stock):
    names = list(tower_parameters(stock, "image"))

    def weights(names, seed, number):
        with randomised(stock, names, seed, number):
            return copies(tower_parameters(stock, "image").items())

    base = weights(names, 0, 0)
    again = weights(reversed(names), 0, 0)
    assert all(torch.equal(base[name], again[name]) for name in names)
    for other in (weights(names, 1, 0), weights(names, 0, 1)):
        assert all(
            not torch.equal(base[name], other[name]) for name in names if base[name].numel() > 9
        )
    # Layers of one shape, and the parts of one, are permuted differently.
    orders = {name: permute(torch.arange(100), 0, 0, name).numpy().tobytes() for name in names}
    assert len(set(orders.values())) == len(names)


@pytest.mark.parametrize("tower", ["image", "text"])
def test_the_cascade_goes_from_the_projection_to_the_embeddings(stock, tower):
    parameters = tower_parameters(stock, tower)
    steps = list_steps(parameters)
    labels = [label for label, _ in steps]
    n_layers = len(labels) - 2
    assert labels == ["projection", *(f"layer {n}" for n in range(n_layers, 0, -1)), "embeddings"]
    assert sorted(name for _, names in steps for name in names) == sorted(parameters)
    groups = dict(steps)
    assert all("embeddings" in name or "pre_layrnorm" in name for name in groups["embeddings"])
    assert any("token_embedding" in n or "patch_embedding" in n for n in groups["embeddings"])
    for last in ("probe", "in_proj_weight", "post_layernorm.weight", "final_layer_norm.weight"):
        having = [name for name in parameters if name.endswith(last)]
        assert set(having) <= set(groups["projection"])
