"""Remember fingerprints from one planning to the next, while no file that they follow differs.

Following every definition takes most of the time in which the rules are read, in the main process
and in that of every job. The memory is only a shortcut: if it is missing, damaged or of other code,
fingerprints are computed, and they are the same.
"""

import hashlib
import json
import platform
from contextlib import suppress
from pathlib import Path

from clip_grounding.files import replacing
from clip_grounding.workflow import fingerprint as code

MEMORY = Path("data/.fingerprints.json")
"""The memory's file, in the run's working directory."""


class CodeMemory:
    """Fingerprints of a folder's scripts.

    Parameters
    ----------
    folder : Path
        Holds the scripts and the library.
    path : Path
        A JSON file, read once.
    """

    def __init__(self, folder: Path, path: Path = MEMORY):
        self._folder, self._path = folder, path.absolute()  # at its end a run may be elsewhere
        self._state = describe_state(folder)
        self._known = _read(path, self._state)
        self._is_changed = False

    def fingerprint(self, script: Path, roots: tuple[str, ...] = ()) -> str:
        """Return the fingerprint of a script, see `clip_grounding.workflow.fingerprint`."""
        key = json.dumps([script.name, *roots])
        if key not in self._known:
            self._known[key] = code.fingerprint(script, roots)
            self._is_changed = True
        return self._known[key]

    def save(self) -> None:
        """Write what was computed, unless files have changed meanwhile or it cannot be written."""
        if not self._is_changed or describe_state(self._folder) != self._state:
            return
        content = {
            "state": self._state,
            "fingerprints": self._known,
            "checksum": _checksum(self._state, self._known),
        }
        with suppress(OSError), replacing(self._path) as temporary:
            temporary.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")


def describe_state(folder: Path) -> str:
    """Return a hash of all that fingerprints follow from: the files, Python, packages' versions."""
    digest = hashlib.sha256(platform.python_version().encode())
    for name in sorted(code.NUMERIC_LIBRARIES.values()):
        digest.update(f"{name} {code.minor_version(name)}\n".encode())
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _read(path: Path, state: str) -> dict[str, str]:
    """Read the fingerprints of a state; none if the file is not whole."""
    with suppress(OSError, ValueError, RecursionError, KeyError, TypeError):
        content = json.loads(path.read_text(encoding="utf-8"))
        known = content["fingerprints"]
        if content["state"] == state and content["checksum"] == _checksum(state, known):
            return known
    return {}


def _checksum(state: str, known: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps([state, known], sort_keys=True).encode()).hexdigest()
