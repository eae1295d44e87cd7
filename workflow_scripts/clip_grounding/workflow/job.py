"""Unpack a script's settings, open its log and stamp its outputs."""

import json
from dataclasses import dataclass
from functools import cached_property

from clip_grounding.logs import start_log
from clip_grounding.workflow.stamps import Stamp, check_inputs, embedded, identify, write_stamp


@dataclass(frozen=True)
class Job:
    """A running job.

    Attributes
    ----------
    rule : str
    settings : str
        The settings that its outputs depend on, as canonical JSON.
    code : str or None
    inputs : dict of str to str or None
        The declared inputs with their identities.
    outputs : tuple of str
    """

    rule: str
    settings: str
    code: str | None
    inputs: dict[str, str | None]
    outputs: tuple[str, ...]

    @cached_property
    def spec(self) -> dict:
        """The settings that the outputs depend on."""
        return json.loads(self.settings)

    def stamp(self, output: str) -> Stamp:
        """Return an output's stamp."""
        return Stamp(output, self.rule, self.settings, self.code, self.inputs)

    def write_table(self, output: str, frames, schema, **facts) -> None:
        """Write a Parquet table with its stamp, as `clip_grounding.tables.write_table` does.

        Parameters
        ----------
        output : str
        frames : DataFrame or iterable of DataFrame
        schema : pyarrow.Schema
        **facts
            Provenance beside the settings.
        """
        from clip_grounding.tables import write_table  # downloads have no pyarrow

        stamp = embedded(self.stamp(output))
        write_table(output, frames, schema, {**self.spec, **facts, "stamp": stamp})

    def finish(self) -> None:
        """Stamp the outputs other than Parquet tables, which already carry their stamps."""
        for output in self.outputs:
            if not output.endswith(".parquet"):
                write_stamp(self.stamp(output))


def start_job(snakemake) -> Job:
    """Start a script's job: from now on, everything it prints goes to the rule's log.

    Parameters
    ----------
    snakemake : object
        What Snakemake hands to a script: its ``rule``, ``params`` (``spec``, and ``code`` of all
        but downloads), ``input``, ``output`` and ``log``.

    Raises
    ------
    InputError
        A table among the inputs is damaged, was changed since it was written, or is another
        one's copy.
    """
    start_log(snakemake.log[0], snakemake.output)
    params = snakemake.params
    check_inputs(snakemake.input)
    inputs = {path: identify(path) for path in snakemake.input}
    return Job(snakemake.rule, params.spec, params.get("code"), inputs, tuple(snakemake.output))
