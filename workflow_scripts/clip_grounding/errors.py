"""The one exception for bad input: its message is all that a user sees."""

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""


class InputError(Exception):
    """Input that cannot be used.

    The message names the file, the record or key, and the remedy; a job that ends
    with it prints the message without a traceback.
    """
