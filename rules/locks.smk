"""Name the run that holds the folder's lock, where Snakemake only says that one does."""

from contextlib import contextmanager

from clip_grounding.workflow import locks
from snakemake.exceptions import LockException


@cache
def name_holder():
    """Have Snakemake's lock, which is taken after planning, leave a note and say who has it."""
    settings = workflow.execution_settings
    if settings is None or workflow.dryrun or not settings.lock:
        return  # nothing runs
    take = workflow.persistence.lock

    @contextmanager
    def lock():
        try:
            with take():
                note = locks.note_run()
                yield
                if note:
                    note.unlink(missing_ok=True)
        except LockException:
            raise WorkflowError(locks.describe_lock()) from None

    workflow.persistence.lock = lock
