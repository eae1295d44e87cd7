"""Compute every relevance map of one shard, streaming images in batches.

Shared work is done once: an image's forward pass serves all its phrases and
the unimodal prompt, a distinct text or region is embedded once, a caption is encoded once
for all its regions.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from clip_grounding.attribution import load_attribution
from clip_grounding.datasets.archives import open_images
from clip_grounding.errors import InputError
from clip_grounding.models.config import read_model_config
from clip_grounding.models.loading import load_model
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer, Tokens
from clip_grounding.models.towers import Clip, Tower
from clip_grounding.regions import decode_region
from clip_grounding.relevance.batches import MemoryFit, make_batches, prepare_batches
from clip_grounding.relevance.devices import reserve_device
from clip_grounding.relevance.measures import begin_attribution, end_attribution, start_measuring
from clip_grounding.tables import RELEVANCE
from clip_grounding.vocabulary import MAP_PROMPTS
from clip_grounding.workflow.contracts import why_refused


@dataclass(frozen=True)
class Explainer:
    """A model, the preparation of its inputs, and the attribution method.

    Attributes
    ----------
    clip : Clip
    tokenizer : TextTokenizer
    preprocess : ImagePreprocessor
    attribute : callable
        See `clip_grounding.attribution`.
    fit : MemoryFit
        Images, or texts, per forward pass.
    threads : int
        Threads that prepare images.
    """

    clip: Clip
    tokenizer: TextTokenizer
    preprocess: ImagePreprocessor
    attribute: Callable[..., Tensor]
    fit: MemoryFit
    threads: int = 1

    def prepare(self, items: Iterable, prepare: Callable) -> Iterator[tuple[list, list]]:
        """Yield batches of items with what `prepare` makes of each, the next one ahead of a GPU."""
        ahead = 0 if self.clip.device.type == "cpu" else 1
        return prepare_batches(make_batches(items, self.fit.size), prepare, self.threads, ahead)

    def embed_texts(self, texts: list[str]) -> dict[str, Tensor]:
        """Return the unit embedding of each distinct text; batches hold texts of similar length."""
        tokens = {text: self.tokenizer(text).ids for text in texts}
        order = sorted(tokens, key=lambda text: (len(tokens[text]), text))

        def embed(batch: list[str]) -> Tensor:
            return self.clip.embed(self.clip.text, self._ids([tokens[text] for text in batch]))

        return dict(zip(order, self.fit.run(embed, order), strict=True))

    def embed_images(self, images: list[np.ndarray]) -> list[Tensor]:
        """Return the unit embedding (width,) of each preprocessed image."""
        return self.fit.run(
            lambda batch: self.clip.embed(self.clip.image, self._stack(batch)), images
        )

    def explain_images(self, images: list[np.ndarray], targets: list[Tensor]) -> list[np.ndarray]:
        """Compute the patch relevance of each image for each of its targets.

        Parameters
        ----------
        images : list of ndarray, shape (3, size, size)
            Preprocessed.
        targets : list of Tensor, shape (n_targets, width)
            Text embeddings per image.

        Returns
        -------
        list of ndarray of float32, shape (n_targets, n_patches)
        """

        def explain(batch: list[tuple]) -> list[np.ndarray]:
            pixels = self._stack([image for image, _ in batch])
            return self._explain(self.clip.image, pixels, [own for _, own in batch])

        return self.fit.run(explain, list(zip(images, targets, strict=True)))

    def explain_texts(self, texts: list[Tokens], targets: list[Tensor]) -> list[np.ndarray]:
        """Compute the word-token relevance of each text for each of its target image embeddings.

        Returns
        -------
        list of ndarray of float32, shape (n_targets, n_words)
        """

        def explain(batch: list[tuple]) -> list[np.ndarray]:
            ids = self._ids([tokens.ids for tokens, _ in batch])
            return self._explain(self.clip.text, ids, [own for _, own in batch])

        return self.fit.run(explain, list(zip(texts, targets, strict=True)))

    def _explain(self, tower: Tower, inputs: Tensor, targets: list[Tensor]) -> list[np.ndarray]:
        """Compute the relevance (n_targets, n_content) of each item's content tokens."""
        counts = [len(part) for part in targets]
        items = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        items = items.to(self.clip.device)
        begin_attribution()
        rows = self.attribute(self.clip, tower, inputs, torch.cat(targets), items)
        end_attribution(items)
        content = tower.content(inputs)
        if rows.shape != (len(items), content.shape[1]):
            raise InputError(
                f"the attribution method returned relevance of shape {tuple(rows.shape)} for"
                f" {len(items)} pairs and {content.shape[1]} tokens: see docs/add-a-method.md"
            )
        maps = [
            part[:, own].numpy(force=True)
            for part, own in zip(rows.split(counts), content, strict=True)
        ]
        if not all(np.isfinite(own).all() for own in maps):
            raise InputError(
                "the attribution method returned relevance that is not finite: with half"
                " precision try float32, with a method of your own see docs/add-a-method.md"
            )
        return maps

    def _stack(self, images: list[np.ndarray]) -> Tensor:
        """Stack preprocessed images on the model's device, (n_images, 3, size, size)."""
        return torch.from_numpy(np.stack(images)).to(self.clip.device)

    def _ids(self, texts: list[np.ndarray]) -> Tensor:
        """Stack padded token ids on the model's device, (n_texts, n_tokens)."""
        return torch.from_numpy(self.tokenizer.pad(texts)).to(self.clip.device)


def compute_relevance(
    direction: str,
    attribution: dict,
    checkpoint: Path,
    images: str | Path,
    split: str,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame | None,
    device: str,
    precision: str,
    batch_size: int,
    threads: int,
) -> Iterator[pd.DataFrame]:
    """Load what a relevance job needs and run it; see `text_to_image_relevance` for the rest.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
    attribution : dict
        ``kind`` and the method's parameters.
    checkpoint : Path
        Folder of the model.
    images : str or Path
        The zip of the shard's images, or the list of those in a folder.
    split : str
        Folder of the images in that zip.
    device : {"auto", "cpu", "cuda"}
    precision : {"float32", "bfloat16", "float16"}
        Of the towers up to their last blocks; the halves need a GPU.
    batch_size : int
        Images, or texts, per forward pass; fewer where they do not fit into memory.
    threads : int
        CPU threads, for torch and for preparing images.
    """
    family = read_model_config(checkpoint).family  # for a model of the hub not known before
    if reason := why_refused(attribution, direction, family):
        raise InputError(
            f"{checkpoint}: {attribution['kind']} cannot explain {direction} of a {family} model:"
            f" {reason}; leave one of the two out of `evaluate`"
        )
    torch.set_num_threads(threads)
    with reserve_device(device) as own, open_images(images, split) as archive:
        print(f"device {own}, {threads} threads, batch size {batch_size}", flush=True)
        start_measuring(own, threads)
        explainer = Explainer(
            load_model(checkpoint, own, precision),
            TextTokenizer(checkpoint),
            ImagePreprocessor(checkpoint),
            load_attribution(**attribution),
            MemoryFit(batch_size),
            threads,
        )
        if direction == "text_to_image":
            yield from text_to_image_relevance(explainer, narratives, phrases, archive.pixels)
        else:
            yield from image_to_text_relevance(
                explainer, narratives, phrases, masks, archive.pixels
            )


def text_to_image_relevance(
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    read_image: Callable[[str, int, int], np.ndarray],
) -> Iterator[pd.DataFrame]:
    """Compute which patches CLIP attends to for each phrase, and for the empty text.

    Parameters
    ----------
    explainer : Explainer
    narratives, phrases : DataFrame
        The shard's rows of ``narratives.parquet`` and ``phrases.parquet``.
    read_image : callable
        File name, height and width of an image to uint8 RGB of shape (height, width, 3).

    Yields
    ------
    DataFrame
        The columns of ``tables.RELEVANCE["text_to_image"]``, some images' rows at a time.
    """
    embeddings = explainer.embed_texts(["", *phrases["utterance"]])
    height, width = explainer.clip.grid

    def prepare(image: _Image) -> np.ndarray:
        return explainer.preprocess(read_image(image.file_name, image.height, image.width))

    for batch, pixels in explainer.prepare(_images(narratives, phrases), prepare):
        texts = [list(dict.fromkeys(["", *image.phrases["utterance"]])) for image in batch]
        targets = [torch.stack([embeddings[text] for text in own]) for own in texts]
        rows = []
        for image, own, relevance in zip(
            batch, texts, explainer.explain_images(pixels, targets), strict=True
        ):
            maps = dict(zip(own, relevance, strict=True))
            for phrase in image.phrases.itertuples():
                for prompt, text in zip(MAP_PROMPTS, (phrase.utterance, ""), strict=True):
                    rows.append((*_key(phrase), prompt, height, width, maps[text]))
        yield pd.DataFrame(rows, columns=RELEVANCE["text_to_image"].names)


def image_to_text_relevance(
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    read_image: Callable[[str, int, int], np.ndarray],
) -> Iterator[pd.DataFrame]:
    """Compute which words CLIP attends to for each phrase's region, and for a black image.

    The image of a region is black outside it. Arguments as for `text_to_image_relevance`;
    `masks` are the shard's distinct regions.

    Yields
    ------
    DataFrame
        The columns of ``tables.RELEVANCE["image_to_text"]``, some images' rows at a time.
    """
    black = np.zeros((2, 2, 3), np.uint8)  # black at every size
    (unimodal,) = explainer.embed_images([explainer.preprocess(black)])
    counts = masks.set_index(["image_id", "mask"])[["height", "width", "counts"]]

    def prepare(image: _Image) -> dict[int, np.ndarray]:
        """Preprocess the distinct regions of an image, by their number."""
        pixels, regions = read_image(image.file_name, image.height, image.width), {}
        for mask in sorted(set(image.phrases["mask"])):
            height, width, code = counts.loc[(image.image_id, mask)]
            region = decode_region(height, width, code, f"image {image.image_id}, mask {mask}")
            regions[mask] = explainer.preprocess(pixels * region[..., None])
        return regions

    for batch, prepared in explainer.prepare(_images(narratives, phrases), prepare):
        keys = [
            (image.image_id, mask)
            for image, regions in zip(batch, prepared, strict=True)
            for mask in regions
        ]
        pixels = [region for regions in prepared for region in regions.values()]
        embeddings = dict(zip(keys, explainer.embed_images(pixels), strict=True))
        captions = [
            (image, narrative, own)
            for image in batch
            for narrative, own in image.phrases.groupby("narrative")
        ]
        tokens = [explainer.tokenizer(image.texts[narrative]) for image, narrative, _ in captions]
        own_masks = [list(dict.fromkeys(own["mask"])) for _, _, own in captions]
        targets = [
            torch.stack([unimodal, *(embeddings[image.image_id, mask] for mask in distinct)])
            for (image, _, _), distinct in zip(captions, own_masks, strict=True)
        ]
        rows = []
        for (_, _, own), words, distinct, relevance in zip(
            captions, tokens, own_masks, explainer.explain_texts(tokens, targets), strict=True
        ):
            black_map, *matched = relevance
            maps = dict(zip(distinct, matched, strict=True))
            for phrase in own.itertuples():
                for prompt, values in zip(MAP_PROMPTS, (maps[phrase.mask], black_map), strict=True):
                    rows.append((*_key(phrase), prompt, words.starts, words.ends, values))
        yield pd.DataFrame(rows, columns=RELEVANCE["image_to_text"].names)


@dataclass(frozen=True)
class _Image:
    image_id: int
    file_name: str
    height: int
    width: int
    texts: dict[int, str]
    phrases: pd.DataFrame


def _images(narratives: pd.DataFrame, phrases: pd.DataFrame) -> Iterator[_Image]:
    """Yield the images that have phrases, in image-id order, with a progress bar."""
    records = narratives.groupby("image_id")[["file_name", "height", "width"]].first()
    texts = narratives.set_index("narrative")["text"]
    own = tqdm(phrases.groupby("image_id"), unit="image", mininterval=1)
    for image_id, rows in own:
        record = records.loc[image_id]
        yield _Image(
            image_id,
            record["file_name"],
            int(record["height"]),
            int(record["width"]),
            texts[rows["narrative"].unique()].to_dict(),
            rows,
        )


def _key(phrase) -> tuple[int, int, int]:
    return phrase.narrative, phrase.phrase, phrase.image_id
