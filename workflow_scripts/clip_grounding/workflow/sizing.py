"""Estimate the time and memory that a job requests from a cluster.

A request must suffice: a job that exceeds it is killed, while one that asks for several times
too much only waits a little longer in the queue. So each request is an estimate of the work with a
wide margin, and grows with every attempt.

**Work of a relevance job.** The unit is one pass of one image through a model's image tower
(`Size.image_gflop`), or of one text through its text tower (`Size.text_gflop`). Per image
there are some `PHRASES` phrases (8.8 in val2017). Text to image takes a pass per image and
embeds each phrase; image to text takes a pass for each phrase's region and embeds the
captions, some `CAPTIONS` an image. A method's contract says what it adds: passes per image or
caption; and per phrase `BACKWARD` passes, as often as it differentiates, through the layers
that it differentiates beside the last. Reading an image and preparing a region cost
`PREPARE` seconds each, on one core.

**Speed.** `CPU_GFLOPS` per thread was exceeded in every case measured: ViT-B/32 and
ViT-L/14, last layer and all, in both directions, one thread of a shared machine, 50 to 150
GFLOP/s. `GPU_GFLOPS` is an assumption, low for any data-centre GPU in float32: none was
available to measure.

**Memory.** Python, torch and Snakemake take 1.1 GB, with the GPU's libraries some 3 GB; the
weights are in memory twice while they are read. A batch costs what its activations cost,
which on a GPU is the GPU's memory: `Size.layer_mb` per image and layer differentiated.
After an attempt that ran out of memory, whether the machine's or the GPU's, the batch is half
as large.

**Attempts.** Time and memory of attempt n are n times those of the first.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from clip_grounding.workflow.contracts import read_contract

CAPTIONS = 2
"""Narratives per image; val2017 has 1.7."""

PHRASES = 9
"""Phrases per image; val2017 has 8.8, train2017 is assumed to be alike."""

CPU_GFLOPS, GPU_GFLOPS = 30, 2000
BACKWARD = 3
PREPARE = 0.02
SCORE = 0.6
"""Seconds to score an image's phrases, or to rasterise them; 0.08 measured at 640 x 480."""

MARGIN = 3
START = 15
"""Minutes that every job gets for starting, importing from a slow disk and writing."""


@dataclass(frozen=True)
class Size:
    """The size of a model, which determines its costs.

    Attributes
    ----------
    image_gflop, text_gflop : float
        One pass of an image, and of a text of 77 tokens.
    weights_mb : int
        In float32.
    layers : int
        Layers of the image tower; text towers have 12.
    layer_mb : float
        Memory that a backward pass keeps of one image in one layer.
    patches : int
    """

    image_gflop: float
    text_gflop: float
    weights_mb: int
    layers: int
    layer_mb: float
    patches: int


SIZES = {
    "small": Size(1, 1, 100, 12, 1, 64),
    "base-patch32": Size(9, 6, 610, 12, 4, 49),
    "base-patch16": Size(35, 6, 600, 12, 14, 196),
    "large-patch14": Size(162, 13, 1710, 24, 32, 256),
    "large-patch14-336": Size(382, 13, 1720, 24, 80, 576),
    "huge-patch14": Size(335, 54, 3950, 32, 45, 256),
    "so400m-patch14": Size(670, 58, 3520, 27, 140, 729),
    "bigg-patch14": Size(1000, 107, 10200, 48, 65, 256),
}
"""Size classes, smallest first."""

_SHORT_NAMES = {
    "b-32": "base-patch32",
    "b-16": "base-patch16",
    "l-14": "large-patch14",
    "h-14": "huge-patch14",
    "bigg-14": "bigg-patch14",
}


def size_class(model: dict) -> str:
    """Return the size class of a model in the config, without looking at its weights.

    Parameters
    ----------
    model : dict
        A validated entry of ``models``. One that is trained here is small; a checkpoint is known
        by the last part of its name, and taken for a ViT-L/14-336 if that does not tell.
    """
    if "train" in model:
        return "small"
    name = Path(model["checkpoint"]).name.lower()
    for short, key in _SHORT_NAMES.items():
        name = name.replace(short, key)
    named = (key for key in reversed(SIZES) if "patch" in key and key in name)
    return next(named, "large-patch14-336")


def layers_differentiated(
    attribution: dict, layers: int, direction: str, key: str = "layers"
) -> int:
    """Return how many layers before the last a method differentiates, of a tower with `layers`.

    With `key` ``kept``, those that are in memory at once.
    """
    cost = read_contract(attribution["kind"])["cost"]
    if cost["backward"] == 0:
        return 0
    named = cost.get(key, cost["layers"])
    used = attribution.get(named, named)
    auto = 1 if direction == "text_to_image" else 8
    return min(layers, {"last": 1, "all": layers, "auto": auto}.get(used, used)) - 1


def passes_of(attribution: dict, tokens: int) -> tuple[int, int]:
    """Return the passes per item that a method adds, and its backward passes per phrase."""
    cost = read_contract(attribution["kind"])["cost"]
    passes = tokens if cost["passes"] == "tokens" else _number(cost["passes"], attribution)
    return passes, _number(cost["backward"], attribution)


def _number(value: int | str, attribution: dict) -> int:
    """Return a contract's number, or the value of the parameter that it names."""
    return attribution[value] if isinstance(value, str) else value


def relevance_minutes(
    images: int,
    model: dict,
    attribution: dict,
    direction: str,
    threads: int,
    gpu: bool,
    attempt: int = 1,
) -> int:
    """Estimate the minutes to compute the maps of some images.

    Parameters
    ----------
    images : int
        Images of the shard.
    model, attribution : dict
        Validated entries of ``models`` and ``attributions``.
    direction : {"text_to_image", "image_to_text"}
    threads : int
        CPU threads, which matter where there is no GPU.
    gpu : bool
    attempt : int
        1 for the first attempt.
    """
    size = SIZES[size_class(model)]
    if direction == "text_to_image":
        explained, depth, items, tokens = size.image_gflop, size.layers, 1, size.patches
        gflop = size.image_gflop + PHRASES * size.text_gflop
        prepared = 1
    else:
        explained, depth, items, tokens = size.text_gflop, 12, CAPTIONS, 77
        gflop = PHRASES * (size.image_gflop + size.text_gflop)
        prepared = 1 + PHRASES
    share = layers_differentiated(attribution, depth, direction) / depth
    passes, backward = passes_of(attribution, tokens)
    gflop += items * passes * explained
    gflop += PHRASES * backward * BACKWARD * explained * share
    speed = GPU_GFLOPS if gpu else CPU_GFLOPS * threads
    return _minutes(images * (gflop / speed + prepared * PREPARE), attempt)


def relevance_mb(
    model: dict, attribution: dict, batch_size: int, gpu: bool, attempt: int = 1
) -> int:
    """Estimate a relevance job's memory on the machine, in MB; arguments as for its minutes."""
    size = SIZES[size_class(model)]
    base = (4000 if gpu else 2000) + 2 * size.weights_mb
    kept = 1 + layers_differentiated(attribution, size.layers, "text_to_image", "kept")
    activations = 0 if gpu else batch_size * size.layer_mb * kept
    return math.ceil((base + activations) / 500) * 500 * attempt


def relevance_batch(batch_size: int, attempt: int = 1) -> int:
    """Return the images per forward pass: half as many after each failed attempt, at least one."""
    return max(1, batch_size // 2 ** (attempt - 1))


def gates_passes(model: dict, images: float, target_images: int, curve_images: int) -> float:
    """Estimate the images whose maps take as long as a method's gates.

    Each image has maps of a randomised model, those of the target after a shift, and those of the
    curve after each step down the towers.
    """
    return images + target_images + curve_images * (SIZES[size_class(model)].layers + 12 + 4)


def evidence_passes(stage: str, subsets: int, controls: int) -> float:
    """Estimate the passes per image without some patches or words, as whole passes.

    Parameters
    ----------
    stage : {"effects", "similarities", "removal"}
        ``effects``: a region and its controls, kept or taken out, take a whole pass each.
        ``similarities``: 0.7 of a pass for each subset. ``removal``: 18 steps, half a pass each on
        average, for a phrase's map and a unimodal one.
    subsets, controls : int
        Numbers from the settings.
    """
    return {
        "effects": PHRASES * (1 + controls),
        "similarities": CAPTIONS * 0.7 * subsets,
        "removal": (PHRASES + CAPTIONS) * 18 * 0.5,
    }[stage]


def evidence_minutes(
    images: int, model: dict, direction: str, passes: float, threads: int, gpu: bool, attempt: int
) -> int:
    """Estimate the minutes for `passes` per image; otherwise like `relevance_minutes`."""
    size = SIZES[size_class(model)]
    gflop = passes * (size.image_gflop if direction == "text_to_image" else size.text_gflop)
    gflop += PHRASES * (size.image_gflop + size.text_gflop)
    speed = GPU_GFLOPS if gpu else CPU_GFLOPS * threads
    return _minutes(images * (gflop / speed + (1 + PHRASES) * PREPARE), attempt)


def evidence_mb(model: dict, batch_size: int, gpu: bool, attempt: int = 1) -> int:
    """Estimate the memory, in MB, of the same: that of a map without a backward pass."""
    return relevance_mb(model, {"kind": "raw_attention"}, batch_size, gpu, attempt)


def scoring_minutes(images: int, steps: int = 1, attempt: int = 1) -> int:
    """Estimate the minutes to rasterise or score `images` images, `steps` times over."""
    return _minutes(images * steps * SCORE, attempt)


def scoring_mb(images: int, attempt: int = 1) -> int:
    """Estimate the memory, in MB, of a job that holds one shard's maps, masks and scores."""
    return (2000 + 2 * images) * attempt


def table_minutes(images: int, contenders: int, attempt: int = 1) -> int:
    """Estimate the minutes of a summary over every phrase of a dataset and contender."""
    return _minutes(images * PHRASES * contenders / 10000, attempt)


def table_mb(images: int, contenders: int, attempt: int = 1) -> int:
    """Estimate the memory, in MB, of such a summary: measured 0.7 kB a row for 100 contenders."""
    rows = images * PHRASES * contenders
    return (2000 + rows // 1000) * attempt


def index_minutes(images: int, attempt: int = 1) -> int:
    """Estimate the minutes to read the narratives and segments of a whole dataset."""
    return _minutes(images * PREPARE, attempt)


def index_mb(images: int, attempt: int = 1) -> int:
    """Estimate the memory, in MB, of the same: all parsed JSON files are held at once."""
    return (4000 + images * 15 // 100) * attempt


def _minutes(seconds: float, attempt: int) -> int:
    return math.ceil(START + MARGIN * seconds / 60) * attempt
