"""What the model hub answers for a repository, to be served by a test's own server."""

import hashlib
import json

from serving import Answer

COMMIT = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"


def hub_answers(files, large=()):
    """What the hub answers for a repository: its file tree, and each file at the commit.

    Of files named in `large` (a mapping to their sha256) the tree tells the checksum.
    """
    tree = [
        {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        | (
            {"lfs": {"oid": large[name], "size": len(data), "pointerSize": 1}}
            if name in large
            else {}
        )
        for name, data in files.items()
    ]
    answers = {f"/api/models/owner/clip/tree/{COMMIT}": json.dumps(tree).encode()}
    for name, data in files.items():
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        answers[f"/owner/clip/resolve/{COMMIT}/{name}"] = Answer(data, headers=headers, ranges=True)
    return answers
