"""Reading the published scores: files of the published form are read, and nothing else is."""

import os
import pickle
import zipfile
from collections import defaultdict

import numpy as np
import pytest
import torch

from clip_grounding.errors import InputError
from clip_grounding.published.files import NAMES, PHRASES, file_name
from clip_grounding.published.run import load_metrics, narrative_sizes, read_published_run

SIZES = [2, 0, 3, 1, 4]
SKIPPED = 2  # image to text leaves out this narrative
COUNTS = {
    "text_to_image": {"random": 10, "unimodal": 10, "matched": 10},
    "image_to_text": {"random": 10, "unimodal": 7, "matched": 7},
}


class OldNumpy(pickle._Pickler):
    """Writes `np.float64` under the module name that NumPy had before version 2."""

    def save_global(self, obj, name=None):
        if obj is np.float64(0).__reduce__()[0]:
            self.write(b"cnumpy.core.multiarray\nscalar\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)


class OldPickle:
    """What `torch.save` needs of the module `pickle`."""

    Pickler = OldNumpy


def metrics_of(scores, sizes):
    sums = [float(own.sum()) / 5 for own in np.split(scores, np.cumsum(sizes)[:-1])]
    return {
        "average_metrics": {"iou": scores.mean()},
        "instance_level_metrics": by_default({"iou": sums}),
        "entry_level_metrics": by_default({"iou": scores.tolist()}),
    }


def by_default(items):
    return defaultdict(list, items)


def write_run(folder, seed=0):
    """Six files of the published form; gives the scores by direction and contender."""
    generator = np.random.default_rng(seed)
    run = {}
    for direction, counts in COUNTS.items():
        for contender, count in counts.items():
            scores = generator.uniform(0.1, 0.9, count).astype(np.float32).astype(np.float64)
            sizes = list(SIZES)
            if count < sum(sizes):
                sizes[SKIPPED] = 0
            path = folder / file_name(direction, contender)
            torch.save(metrics_of(scores, sizes), path, pickle_module=OldPickle)
            run[direction, contender] = scores
    return run


def read(folder):
    return read_published_run([folder / name for name in NAMES], len(SIZES), COUNTS)


def test_the_names_are_the_published_ones():
    assert "clip-unimodal_on_PNG_image2text_metrics.pt" in NAMES
    assert "CLIP_on_PNG_text2image_metrics.pt" in NAMES
    assert len(set(NAMES)) == sum(map(len, PHRASES.values())) == 6


def test_the_made_files_have_the_globals_of_the_published_ones(tmp_path):
    write_run(tmp_path)
    with zipfile.ZipFile(tmp_path / NAMES[0]) as archive:
        data = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        written = archive.read(data)
    assert b"cnumpy.core.multiarray\nscalar\n" in written
    assert b"numpy._core" not in written
    assert b"ccollections\ndefaultdict\n" in written


def test_every_score_comes_back_in_order_with_its_narrative(tmp_path):
    run = write_run(tmp_path)
    table = read(tmp_path).set_index(["direction", "contender"])
    for key, scores in run.items():
        own = table.loc[key]
        np.testing.assert_array_equal(own["poster_iou"], scores)
        assert own["entry"].tolist() == list(range(len(scores)))
        sizes = np.bincount(own["narrative"], minlength=len(SIZES))
        expected = list(SIZES)
        if len(scores) < sum(SIZES):
            expected[SKIPPED] = 0
        assert sizes.tolist() == expected


def test_files_written_with_a_new_numpy_are_read_too(tmp_path):
    scores = np.array([0.25, 0.5])
    torch.save(metrics_of(scores, [2]), tmp_path / "new.pt")
    assert load_metrics(tmp_path / "new.pt")["entry_level_metrics"]["iou"] == [0.25, 0.5]


def test_a_pickle_that_would_run_a_command_is_refused_and_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it ran"),)

    path = tmp_path / NAMES[0]
    torch.save({"entry_level_metrics": Attack()}, path)
    with pytest.raises(InputError, match=r"random_on_PNG.*asks for posix.mkdir.*not loaded"):
        load_metrics(path)
    assert not (tmp_path / "it ran").exists()


def test_a_pickle_outside_a_torch_archive_is_refused(tmp_path):
    path = tmp_path / "plain.pt"
    path.write_bytes(pickle.dumps(metrics_of(np.ones(2), [2])))
    with pytest.raises(InputError, match=r"plain\.pt: not a readable torch file"):
        load_metrics(path)


def test_a_cut_file_is_refused_with_its_name(tmp_path):
    write_run(tmp_path)
    path = tmp_path / NAMES[3]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=rf"{NAMES[3]}: not a readable torch file"):
        read(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    write_run(tmp_path)
    (tmp_path / NAMES[5]).unlink()
    with pytest.raises(InputError, match=rf"{NAMES[5]}: this file of the published run is missing"):
        read(tmp_path)


def test_allowing_the_published_globals_does_not_outlast_the_reading(tmp_path):
    write_run(tmp_path)
    load_metrics(tmp_path / NAMES[0])
    assert np.dtypes.Float64DType not in torch.serialization.get_safe_globals()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("entry_level_metrics"), r"entry_level.*list of 10 numbers.*nothing found"),
        (lambda m: m["instance_level_metrics"].clear(), r"instance_level.*5 numbers.*nothing"),
        (lambda m: m["entry_level_metrics"]["iou"].pop(), r"10 numbers expected, 9 found"),
        (lambda m: m["instance_level_metrics"]["iou"].append(0.0), r"5 numbers expected, 6 found"),
        (
            lambda m: m["entry_level_metrics"]["iou"].__setitem__(4, "high"),
            r"entry_level_metrics\[\"iou\"\]\[4\]: a number of at least 0 expected, 'high' found",
        ),
        (
            lambda m: m["entry_level_metrics"]["iou"].__setitem__(4, float("nan")),
            r"\[4\]: a number of at least 0 expected, nan found",
        ),
        (lambda m: m["entry_level_metrics"].update(iou=1.0), r"10 numbers expected, float found"),
        (
            lambda m: m["entry_level_metrics"]["iou"].reverse(),
            r"not the sums of consecutive scores.*another run",
        ),
    ],
)
def test_what_was_not_published_is_refused_with_file_key_expected_and_found(
    tmp_path, change, message
):
    run = write_run(tmp_path)
    metrics = metrics_of(run["text_to_image", "matched"], SIZES)
    change(metrics)
    torch.save(metrics, tmp_path / file_name("text_to_image", "matched"), pickle_module=OldPickle)
    with pytest.raises(InputError, match=rf"CLIP_on_PNG_text2image_metrics.pt: .*{message}"):
        read(tmp_path)


def test_narratives_without_phrases_stand_anywhere():
    sizes = [0, 0, 1, 3, 0, 2, 0]
    scores = np.random.default_rng(0).uniform(0.2, 0.9, sum(sizes))
    sums = [own.sum() for own in np.split(scores, np.cumsum(sizes)[:-1])]
    assert narrative_sizes(scores, np.array(sums)).tolist() == sizes
