"""Whether a finished run's scores are right: recompute a sample of them, and of their inputs.

    python tests/studies/recompute.py results/scenes data/scenes [--phrases 200] [--seed 0]

Scores are recomputed from the relevance tables, masks and narratives with scikit-learn,
scikit-image, Pillow and stock tokenizers; masks from the panoptic archive; relevance of CLIP
models by gradient_attention from the images with stock transformers and one backward pass per
map. Nothing of the library is imported. Prints the largest difference of every column.
"""

import argparse
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from plain_attribution import plain_relevance
from recomputed_scores import Recomputation, largest_differences, padding

WITHOUT_MAPS = "baseline"


def read(paths):
    tables = [pq.read_table(path, partitioning=None).to_pandas() for path in sorted(paths)]
    return pd.concat(tables, ignore_index=True)


def load_tokenizer(folder):
    """A stock tokenizer, and how many word tokens the model reads."""
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(folder)
    n_specials = 2 if config.model_type == "clip" else 1
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer, config.text_config.max_position_embeddings - n_specials


def load_view(folder):
    """Pixels of a side of the model's input, those that patches cover, and whether it is a crop."""
    from transformers import AutoConfig, CLIPImageProcessorPil

    config = AutoConfig.from_pretrained(folder)
    size, patch = config.vision_config.image_size, config.vision_config.patch_size
    crops = False
    if config.model_type == "clip":
        process = CLIPImageProcessorPil.from_pretrained(folder)
        crops = process.do_center_crop and dict(process.size).get("shortest_edge") is not None
    return size, size // patch * patch, crops


def check_masks(data, run, generator, n_images):
    """Pixels in which masks differ from those of the panoptic archive's PNGs."""
    outer = zipfile.ZipFile(data / "panoptic.zip")
    archives = [outer]
    for name in outer.namelist():
        if name.endswith(".zip") and not name.startswith("__MACOSX"):
            archives.append(zipfile.ZipFile(io.BytesIO(outer.read(name))))
    files = {Path(name).name: (own, name) for own in archives for name in own.namelist()}
    narratives = run.narratives.drop_duplicates("image_id")
    worst = 0
    for record in narratives.sample(
        min(n_images, len(narratives)), random_state=generator
    ).itertuples():
        if record.image_id not in run.masks.index.get_level_values(0):
            continue  # no phrase of it names a region
        own, name = files[record.panoptic_file]
        red, green, blue = np.moveaxis(np.asarray(Image.open(own.open(name)), np.int64), 2, 0)
        ids = red + 256 * green + 256**2 * blue
        for row in run.masks.loc[record.image_id].itertuples():
            expected = np.isin(ids, [0] if row.Index < 0 else row.segment_ids)
            differs = expected != run.region(record.image_id, row.Index)
            worst = max(worst, differs.sum(), abs(expected.sum() - row.area))
    return worst


def check_relevance(data, folder, run, contender, layers, rows):
    """Largest difference from maps by stock transformers, as a share of a map's maximum."""
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel

    model = CLIPModel.from_pretrained(folder, attn_implementation="eager").eval()
    process = CLIPImageProcessorPil.from_pretrained(folder)
    words, length = run.words[contender[0]], run.lengths[contender[0]]
    first, last = words.tokenizer("")["input_ids"]
    model.config.text_config.eos_token_id = last  # where the plain method looks for it
    narratives = run.narratives.set_index("narrative")
    archive = zipfile.ZipFile(data / "images.zip")
    names = {Path(name).name: name for name in archive.namelist() if "__MACOSX" not in name}
    worst = 0
    for row in rows.itertuples():
        record = narratives.loc[row.narrative]
        phrase = run.rows.loc[(row.narrative, row.phrase)]
        with archive.open(names[record["file_name"]]) as file:
            pixels = np.asarray(Image.open(file).convert("RGB"))
        text = record["text"]
        if contender[2] == "text_to_image":
            text = phrase["utterance"] if row.prompt == "matched" else ""
        elif row.prompt == "matched":
            pixels = pixels * run.region(row.image_id, phrase["mask"])[..., None]
        else:
            pixels = np.zeros_like(pixels)
        rows_added, columns_added = padding(pixels.shape)
        sides = [(rows_added,) * 2, (columns_added,) * 2, (0, 0)]
        pixels = process(np.pad(pixels, sides), return_tensors="pt")["pixel_values"][0]
        ids = [first, *words.encoded(text)["input_ids"][:length], last]
        used = {"last": 1, "all": 99}.get(layers, layers)
        expected = plain_relevance(model, pixels, torch.tensor(ids), contender[2], used).numpy()
        ours = run.relevance[contender].loc[(row.narrative, row.phrase, row.prompt), "relevance"]
        if len(ours) != expected.size:
            return np.inf
        worst = max(worst, abs(ours - expected.ravel()).max() / max(expected.max(), 1e-9))
    return worst


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="the run's folder results/<dataset>")
    parser.add_argument("data", type=Path, help="its folder data/<dataset>")
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="MODEL=FOLDER",
        help="default: data/models/MODEL; the first model's first",
    )
    parser.add_argument("--phrases", type=int, default=200)
    parser.add_argument("--maps", type=int, default=20, help="recomputed per model and direction")
    parser.add_argument("--seed", type=int, default=0, help="the run's own (`seed`)")
    arguments = parser.parse_args()

    results, generator = arguments.results, np.random.default_rng(1)
    scores = read([results / "scores.parquet"])
    contenders = scores[["model", "attribution", "direction"]].drop_duplicates()
    contenders = [tuple(own) for own in contenders.to_numpy() if own[0] != WITHOUT_MAPS]
    models = list(dict.fromkeys(own[0] for own in contenders))
    given = dict(pair.split("=", 1) for pair in arguments.checkpoint)
    folders = {
        name: Path(given.get(name, arguments.data.parent / "models" / name))
        for name in [*given, *models]
    }
    paths = {
        own: list((results / "relevance" / "/".join(own)).glob("*.parquet")) for own in contenders
    }
    run = Recomputation(
        *(read([results / f"{name}.parquet"]) for name in ("phrases", "narratives")),
        read((results / "masks").glob("*.parquet")),
        {own: read(files) for own, files in paths.items()},
        {name: load_tokenizer(folder) for name, folder in folders.items()},
        {name: load_view(folder) for name, folder in folders.items()},
        next(iter(folders)),
        arguments.seed,
    )

    chosen = run.phrases.sample(min(arguments.phrases, len(run.phrases)), random_state=generator)
    keys = pd.MultiIndex.from_frame(chosen[["narrative", "phrase"]])
    rows = scores[pd.MultiIndex.from_frame(scores[["narrative", "phrase"]]).isin(keys)]
    print(f"{len(rows):,} rows of {len(chosen):,} of {len(run.phrases):,} phrases")
    print(largest_differences(rows, run).to_string(index=False))
    print("masks: at most", check_masks(arguments.data, run, generator, 50), "pixels differ")
    for own, files in paths.items():
        facts = json.loads(pq.read_schema(files[0]).metadata[b"provenance"])
        attribution, folder = facts["attribution"], folders[own[0]]
        family = json.loads((folder / "config.json").read_text())["model_type"]
        if attribution["kind"] != "gradient_attention" or family != "clip":
            print("maps of", *own, "are not recomputed")
            continue
        rows = run.relevance[own].reset_index()
        rows = rows.sample(min(arguments.maps, len(rows)), random_state=generator)
        worst = check_relevance(arguments.data, folder, run, own, attribution["layers"], rows)
        print(f"maps of {' '.join(own)}: {worst:.1e} of a map's maximum")


if __name__ == "__main__":
    main()
