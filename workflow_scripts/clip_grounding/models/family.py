"""What a family of models declares of its checkpoints, beside its adapter and tokenizer rules."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """What the files of a family's checkpoints mean.

    Attributes
    ----------
    model_types : tuple of str
        Values of ``model_type`` in ``config.json``.
    defaults : dict of str to int
        Settings that configs leave out: image_size, patch_size, num_hidden_layers and
        max_position_embeddings.
    pooling_layers : int
        Attention layers of the image tower after its blocks: 1 for a pooling head.
    image_processor : str
        The class of transformers that prepares images, of the Pillow backend.
    is_merged : bool
        Whether merges make every entry of the tokenizer's vocabulary.
    has_ids : bool
        Whether ``config.json`` holds the id of the token that ends a text.
    hub_word : str
        What the names of its checkpoints on the hub contain; empty where no word tells.
    """

    model_types: tuple[str, ...]
    defaults: dict[str, int]
    pooling_layers: int
    image_processor: str
    is_merged: bool
    has_ids: bool
    hub_word: str


@dataclass(frozen=True)
class TextRules:
    """How a family's tokenizer treats a text.

    Attributes
    ----------
    n_before : int
        Special tokens before the words; one follows them.
    padding : int or None
        Id of the padding; None if it is that of the end-of-text.
    is_padded : bool
        Whether texts are always padded to the context length.
    unread : str
        Characters between words that no token stands for.
    """

    n_before: int
    padding: int | None
    is_padded: bool
    unread: str
