"""How far relevance jobs are from bare forward passes: `make benchmark`.

Every ratio is between two things timed in turns in this process, on the same inputs: a full-size
CLIP ViT-B/32 with random weights and JPEGs of 640 x 480, nine phrases each. Median of the turns.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import matplotlib
import numpy as np
import torch
from pycocotools import mask as coco_mask

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "support"), str(TESTS.parent / "workflow_scripts")]
matplotlib.use("Agg")

from benchmarks.photographs import (  # noqa: E402 (needs the path)
    HEIGHT,
    PHRASES,
    WIDTH,
    make_regions,
    make_shard,
    save_clip,
)
from plain_attribution import plain_relevance  # noqa: E402
from transformers import CLIPModel  # noqa: E402

from clip_grounding.attribution import load_attribution  # noqa: E402
from clip_grounding.datasets.archives import open_images  # noqa: E402
from clip_grounding.datasets.masks import encode_regions  # noqa: E402
from clip_grounding.models.loading import load_model  # noqa: E402
from clip_grounding.models.preprocessing import ImagePreprocessor  # noqa: E402
from clip_grounding.models.tokenizer import TextTokenizer  # noqa: E402
from clip_grounding.relevance.batches import MemoryFit, make_batches, prepare_batches  # noqa: E402
from clip_grounding.relevance.job import (  # noqa: E402
    Explainer,
    image_to_text_relevance,
    text_to_image_relevance,
)
from clip_grounding.tables import RELEVANCE, write_table  # noqa: E402

SCRIPTS = TESTS.parent / "workflow_scripts"


class Bench:
    """The inputs, the library's explainer, and the stock model."""

    def __init__(self, folder: Path, images: int, threads: int):
        self.folder, self.threads = folder, threads
        self.shard = make_shard(folder, images)
        checkpoint = save_clip(folder / "clip")
        device = torch.device("cpu")
        self.explainer = Explainer(
            load_model(checkpoint, device),
            TextTokenizer(checkpoint),
            ImagePreprocessor(checkpoint),
            load_attribution("gradient_attention", layers="last"),
            MemoryFit(32),
            threads,
        )
        load = CLIPModel.from_pretrained
        self.stock = load(checkpoint).eval().requires_grad_(False)
        self.eager = load(checkpoint, attn_implementation="eager").eval().requires_grad_(False)
        self.archive = open_images(self.shard.images, "val2017")
        self.pixels = [self.prepare(name) for name in self.shard.narratives["file_name"]]
        self.texts = list(dict.fromkeys(["", *self.shard.phrases["utterance"]]))

    def prepare(self, file_name: str) -> np.ndarray:
        return self.explainer.preprocess(self.archive.pixels(file_name, HEIGHT, WIDTH))

    def regions(self, image: int) -> list[np.ndarray]:
        """The distinct regions of an image, preprocessed one by one."""
        pixels = self.archive.pixels(self.shard.narratives["file_name"][image], HEIGHT, WIDTH)
        masks = self.shard.masks[self.shard.masks["image_id"] == image]
        return [
            self.explainer.preprocess(
                pixels * coco_mask.decode({"size": [HEIGHT, WIDTH], "counts": code})[..., None]
            )
            for code in masks["counts"]
        ]

    @torch.no_grad()
    def forward_images(self, images: list[np.ndarray]) -> None:
        for batch in make_batches(images, 32):
            self.stock.get_image_features(pixel_values=torch.from_numpy(np.stack(batch)))

    @torch.no_grad()
    def forward_texts(self) -> None:
        """Bare passes of the distinct texts, sorted by length and without padding to 77."""
        ids = sorted((self.explainer.tokenizer(text).ids for text in self.texts), key=len)
        for batch in make_batches(ids, 32):
            self.stock.get_text_features(input_ids=self.explainer._ids(batch))

    def targets(self, phrases: int) -> list[torch.Tensor]:
        """Text embeddings for each image: so many phrases and the unimodal prompt."""
        random = torch.Generator().manual_seed(0)
        shape = len(self.pixels), phrases + 1, 512
        return list(torch.nn.functional.normalize(torch.randn(shape, generator=random), dim=-1))

    def ids(self, text: str) -> torch.Tensor:
        """Token ids padded to the whole context, as the published code has them."""
        own = torch.from_numpy(self.explainer.tokenizer(text).ids)
        padded = torch.full((77,), self.explainer.tokenizer.end_of_text)
        padded[: len(own)] = own
        return padded

    def text_to_image(self) -> None:
        tables = self.shard.narratives, self.shard.phrases
        frames = text_to_image_relevance(self.explainer, *tables, self.archive.pixels)
        write_table(self.folder / "t.parquet", frames, RELEVANCE["text_to_image"], {})

    def image_to_text(self) -> None:
        tables = self.shard.narratives, self.shard.phrases, self.shard.masks
        frames = image_to_text_relevance(self.explainer, *tables, self.archive.pixels)
        write_table(self.folder / "i.parquet", frames, RELEVANCE["image_to_text"], {})

    def prepare_and_forward(self) -> None:
        """Decode and preprocess in the same threads, then bare passes of images and texts."""
        names = list(self.shard.narratives["file_name"])
        batches = prepare_batches(make_batches(names, 32), self.prepare, self.threads, 0)
        for _, pixels in batches:
            self.forward_images(pixels)
        self.forward_texts()

    def prepare_and_forward_regions(self) -> None:
        images = list(range(len(self.pixels)))
        batches = prepare_batches(make_batches(images, 32), self.regions, self.threads, 0)
        for _, prepared in batches:
            self.forward_images([region for own in prepared for region in own])

    def per_phrase(self, direction: str, used: int, phrases: int) -> None:
        """The published way: for each phrase both towers with autograd, texts of 77 tokens."""
        for row in self.shard.phrases.head(phrases).itertuples():
            if direction == "text_to_image":
                text, pixels = row.utterance, self.pixels[row.image_id]
            else:
                text = self.shard.narratives["text"][row.narrative]
                name = self.shard.narratives["file_name"][row.image_id]
                image = self.archive.pixels(name, HEIGHT, WIDTH)
                code = self.shard.masks.set_index(["image_id", "mask"])["counts"]
                region = {"size": [HEIGHT, WIDTH], "counts": code[row.image_id, row.mask]}
                pixels = self.explainer.preprocess(image * coco_mask.decode(region)[..., None])
            plain_relevance(self.eager, torch.from_numpy(pixels), self.ids(text), direction, used)


def in_turns(turns: int, *works: Callable[[], None]) -> list[float]:
    """Median seconds of each work, all timed in turns after one turn to warm up."""
    seconds: list[list[float]] = [[] for _ in works]
    for turn in range(turns + 1):
        for own, work in zip(seconds, works, strict=True):
            start = time.perf_counter()
            work()
            if turn:
                own.append(time.perf_counter() - start)
    return [median(own) for own in seconds]


def measure_relevance(bench: Bench, turns: int) -> dict[str, tuple[float, float]]:
    """Name to (ratio, target) of the relevance jobs."""
    images, targets = bench.pixels, bench.targets(PHRASES)
    explain = bench.explainer.explain_images
    phrases = len(bench.shard.phrases)
    ours, bare = in_turns(
        turns, lambda: explain(images, targets), lambda: bench.forward_images(images)
    )
    job, floor = in_turns(turns, bench.text_to_image, bench.prepare_and_forward)
    texts, few = bench.texts, PHRASES

    def model_part() -> None:
        bench.explainer.embed_texts(texts)
        explain(images, targets)

    model, plain = in_turns(turns, model_part, lambda: bench.per_phrase("text_to_image", 1, few))
    back, back_floor = in_turns(turns, bench.image_to_text, bench.prepare_and_forward_regions)
    (back_plain,) = in_turns(turns, lambda: bench.per_phrase("image_to_text", 1, few))
    every = load_attribution("gradient_attention", layers="all")
    deep = replace(bench.explainer, attribute=every, fit=MemoryFit(8))
    some = images[:8], targets[:8]
    layers, layers_plain = in_turns(
        turns,
        lambda: deep.explain_images(*some),
        lambda: bench.per_phrase("text_to_image", 12, few),
    )
    return {
        "text to image, tower work / bare image passes": (ours / bare, 1.05),
        "text to image, whole job / decode + preprocess + bare passes": (job / floor, 1.15),
        "text to image, per-phrase autograd / ours": (plain / few / (model / phrases), 25),
        "image to text, whole job / preprocess + bare region passes": (back / back_floor, 1.20),
        "image to text, per-phrase autograd / ours": (back_plain / few / (back / phrases), 4),
        "all layers, per-phrase autograd / ours": (
            layers_plain / few / (layers / (8 * PHRASES)),
            2.5,
        ),
    }


def measure_masks(turns: int) -> dict[str, tuple[float, float]]:
    """Regions of a 12-phrase image against a comparison per segment and phrase."""
    labels, _ = make_regions(np.random.default_rng(0))
    fine = labels * 8 + np.add.outer(np.arange(HEIGHT) // 120, np.arange(WIDTH) // 160)
    ids = (fine * 1000 + 7).astype(np.int32)
    present = np.unique(ids)
    phrases = [[int(n) for n in present[k::12]] for k in range(12)]

    def compare() -> None:
        for segments in phrases:
            mask = np.zeros(ids.shape, np.uint8)
            for segment in segments:
                mask |= (ids == segment).astype(np.uint8)
            coco_mask.encode(np.asfortranarray(mask))

    ours, slow = in_turns(5 * turns, lambda: encode_regions(ids, phrases, "ids"), compare)
    return {f"masks, comparison per segment / ours ({len(present)} segments)": (slow / ours, 6)}


def measure_memory(folder: Path) -> dict[str, tuple[float, float]]:
    """Peak memory of a text-to-image job of 500 images against one of 50, each in a process."""
    program = (
        "import sys, resource; sys.argv[1:] and sys.path.extend(sys.argv[3:]);"
        "from pathlib import Path; from benchmarks.relevance import run_job;"
        "run_job(Path(sys.argv[1]), int(sys.argv[2]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for n_images in (50, 500):
        command = [sys.executable, "-c", program, folder, n_images, TESTS / "support", SCRIPTS]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
    return {"peak memory, 500 images / 50": (peaks[1] / peaks[0], 1.1)}


def run_job(folder: Path, n_images: int) -> None:
    """A text-to-image job as the workflow runs it."""
    from clip_grounding.relevance.job import compute_relevance

    shard = make_shard(folder, n_images)
    frames = compute_relevance(
        direction="text_to_image",
        attribution={"kind": "gradient_attention", "layers": "last"},
        checkpoint=folder / "clip",
        images=shard.images,
        split="val2017",
        narratives=shard.narratives,
        phrases=shard.phrases,
        masks=None,
        device="cpu",
        precision="float32",
        batch_size=32,
        threads=2,
    )
    write_table(folder / "memory.parquet", frames, RELEVANCE["text_to_image"], {})


def measure_start() -> dict[str, tuple[float, float]]:
    """Seconds until each light script has imported what it needs, the best of three."""
    program = (
        "import ast, sys; sys.path.insert(0, sys.argv[2]);"
        "tree = ast.parse(open(sys.argv[1]).read());"
        "tree.body = [s for s in tree.body if isinstance(s, (ast.Import, ast.ImportFrom))];"
        "exec(compile(tree, sys.argv[1], 'exec'))"
    )
    slowest = {"tables": ("", 0.0), "figures": ("", 0.0)}
    for script in sorted(SCRIPTS.glob("*.py")):
        if script.stem in ("compute_relevance", "train_scenes_clip", "read_published", "why"):
            continue  # these need torch, and why is no job
        times = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program, script, SCRIPTS], check=True)
            times.append(time.perf_counter() - start)
        draws = script.stem.startswith(("plot_", "animate_", "build_", "reanalyse_"))
        kind = "figures" if draws else "tables"
        slowest[kind] = max(slowest[kind], (script.stem, min(times)), key=lambda own: own[1])
    return {
        f"start of the slowest script that makes {kind} ({name}), s": (seconds, 1)
        for kind, (name, seconds) in slowest.items()
    }


def measure_stages(bench: Bench, turns: int) -> dict[str, float]:
    """Milliseconds per image of each stage of a text-to-image job, one after the other."""
    names, explainer = list(bench.shard.narratives["file_name"]), bench.explainer
    arrays = [bench.archive.pixels(name, HEIGHT, WIDTH) for name in names]
    pixels = explainer._stack(bench.pixels)
    clip, depth = explainer.clip, explainer.clip.image.n_steps
    hidden = clip.image.run(pixels, depth - 1)
    rows, targets = clip.image.pooled_rows(pixels), bench.targets(PHRASES)

    def tail() -> None:
        from clip_grounding.attribution.gradient_attention import _last_layer_row

        block = clip.image.pool.open(hidden, rows)
        items = torch.arange(len(names)).repeat_interleave(PHRASES + 1)
        _last_layer_row(clip, block, torch.cat(targets), items)

    stages = {
        "decode JPEG": lambda: [bench.archive.pixels(name, HEIGHT, WIDTH) for name in names],
        "pad, resize, normalise": lambda: [explainer.preprocess(array) for array in arrays],
        "image tower up to the last block": lambda: clip.image.run(pixels, depth - 1),
        "last block, and relevance of ten prompts": tail,
        "distinct texts": lambda: explainer.embed_texts(bench.texts),
    }
    seconds = in_turns(turns, *stages.values())
    return dict(zip(stages, [1000 * own / len(names) for own in seconds], strict=True))


def measure_throughput(bench: Bench, turns: int) -> dict[int, tuple[float, float]]:
    """Phrases per image to images per second, ours and with autograd per phrase."""
    (plain,) = in_turns(turns, lambda: bench.per_phrase("text_to_image", 1, PHRASES))
    out = {}
    for phrases in (1, 3, 9, 18, 36):
        targets = bench.targets(phrases)
        (ours,) = in_turns(
            turns, lambda targets=targets: bench.explainer.explain_images(bench.pixels, targets)
        )
        out[phrases] = (len(bench.pixels) / ours, PHRASES / plain / phrases)
    return out


def draw_throughput(throughput: dict[int, tuple[float, float]], path: Path) -> None:
    from matplotlib import pyplot as plt

    from clip_grounding.figures.style import FAINT, house_style

    with house_style():
        figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
    counts = list(throughput)
    ours, plain = zip(*throughput.values(), strict=True)
    axes.plot(counts, ours, marker="o", label="one pass per image, closed form")
    axes.plot(counts, plain, marker="o", color=FAINT, label="autograd per phrase")
    axes.set(xscale="log", yscale="log", xlabel="phrases per image", ylabel="images per second")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.legend(frameon=False)
    figure.savefig(path, dpi=200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/performance.json"))
    parser.add_argument("--figure", type=Path, default=Path("benchmarks/throughput.png"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), arguments.images, arguments.threads)
        ratios = {
            **measure_relevance(bench, arguments.turns),
            **measure_masks(arguments.turns),
            **measure_memory(Path(name)),
            **measure_start(),
        }
        stages = measure_stages(bench, arguments.turns)
        throughput = measure_throughput(bench, arguments.turns)
    for what, (ratio, target) in ratios.items():
        print(f"{what:<72} {ratio:7.2f}   target {target:g}")
    for what, milliseconds in stages.items():
        print(f"{what:<72} {milliseconds:7.2f} ms per image")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    results = {
        "ratios": {what: {"measured": r, "target": t} for what, (r, t) in ratios.items()},
        "milliseconds per image": stages,
        "images per second by phrases": throughput,
        "versions": {"torch": torch.__version__, "threads": arguments.threads},
    }
    arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    draw_throughput(throughput, arguments.figure)


if __name__ == "__main__":
    main()
