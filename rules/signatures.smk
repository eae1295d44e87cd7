"""Compute the signature of each function of the rules once: Snakemake asks for it at every job.

It asks some ten times a job, a tenth of a long dry run. The last file, so that all are there.
"""

import inspect
from types import FunctionType

FUNCTIONS = [value for value in globals().values() if isinstance(value, FunctionType)]

for function in [
    *(value for value in FUNCTIONS if value.__globals__ is globals()),  # not imported
    *(part for maker in workflow.rules for part in [*maker.input, *maker.params]),
]:
    if isinstance(function, FunctionType):
        function.__signature__ = inspect.signature(function)
