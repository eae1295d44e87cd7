"""Both protocols for one map and region, written plainly with the well-known libraries.

It shares no code with the library; the tests compare with it, and the benchmark too.
"""

import numpy as np
from PIL import Image
from skimage.filters import threshold_otsu
from sklearn.metrics import average_precision_score, roc_curve
from torch import from_numpy
from torch.nn.functional import interpolate


def two_classes(predicted, truth):
    ious = []
    for p, t in ((predicted, truth), (~predicted, ~truth)):
        ious.append((p & t).sum() / max((p | t).sum(), 1))
    return np.mean(ious)


def resized(array, size):
    return interpolate(
        from_numpy(np.array(array))[None, None], size=size, mode="bilinear", align_corners=False
    )[0, 0].numpy()


def best_iou(inside, values):
    """IoU at the best of all thresholds, from the true and false positives at each."""
    false_rate, recall, _ = roc_curve(inside, values, drop_intermediate=False)
    hits, false = recall * inside.sum(), false_rate * (~inside).sum()
    return (hits / (inside.sum() + false)).max()


def slow_text_to_image(grid, region, void):
    """Both protocols for one map and region, with torch, Pillow, scikit-image and scikit-learn."""
    height, width = region.shape
    pad = [(max(region.shape) - side) // 2 for side in region.shape]
    padded = np.pad(region.astype(np.uint8) * 255, [(pad[0],) * 2, (pad[1],) * 2])
    small = Image.fromarray(padded).resize((224, 224), Image.Resampling.BICUBIC)
    truth = (np.asarray(small) / 255).astype(int) == 1
    up = resized(grid, (224, 224))
    up = (up - up.min()) / (up.max() - up.min())
    poster = two_classes(up > threshold_otsu(up), truth)

    square = resized(grid.astype(np.float64), padded.shape).astype(np.float32)
    native = square[pad[0] : pad[0] + height, pad[1] : pad[1] + width]
    values, inside = native[~void], region[~void]
    predicted = values > threshold_otsu(values)
    return {
        "poster_iou": poster,
        "ap": average_precision_score(inside, values),
        "iou": (predicted & inside).sum() / (predicted | inside).sum(),
        "best_iou": best_iou(inside, values),
        "pointing": inside[values == values.max()].mean(),
        "mass": values[inside].sum() / values.sum(),
        "chance": inside.mean(),
        "region_area": region.mean(),
    }
