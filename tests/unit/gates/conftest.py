"""A checkpoint's explainer, as the gates take it."""

import pytest
import torch

from clip_grounding.models.loading import load_model
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.relevance.batches import MemoryFit
from clip_grounding.relevance.job import Explainer


@pytest.fixture(scope="session")
def make_explainer(small):
    def make():
        folder = small.checkpoint
        return Explainer(
            load_model(folder, torch.device("cpu")),
            TextTokenizer(folder),
            ImagePreprocessor(folder),
            None,
            MemoryFit(8),
        )

    return make
