"""Remove what runs made in this folder, and list what is left: python workflow_scripts/clean.py"""

import sys
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.gallery.page import list_files
from clip_grounding.workflow.cleaning import clean_folder

try:
    left = clean_folder(Path(), list_files)
except InputError as error:
    sys.exit(str(error))
if left:
    print("left, since no run made them here (downloads, your own files):")
    print("\n".join(f"  {path}" for path in left))
