"""Correct Snakemake's records of outputs by the outputs' stamps, before a run is planned."""

from clip_grounding.workflow import memory
from snakemake.iocontainers import Wildcards
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.settings.types import RerunTrigger


class SnakemakeRecords:
    """The records in .snakemake, read and written with Snakemake's functions."""

    def params(self, path):
        record = workflow.persistence._read_record(path)
        return None if record is None else record.params or []

    def write(self, path, maker, inputs, params):
        time = os.lstat(path).st_mtime
        record = {
            "rule": maker,
            "input": inputs,
            "params": params,
            "log": [],
            "record_format_version": RECORD_FORMAT_VERSION,
            "starttime": time,
            "endtime": time,
            "incomplete": False,
        }
        workflow.persistence._write_record(path, MetadataRecord(**record))


def list_outputs(dataset):
    """Yield the existing outputs of the current settings, with their rules and wildcards."""
    patterns = [(maker, pattern) for maker in workflow.rules for pattern in maker.output]
    folders = [f"{top}/{name}" for top in ("data", "results") for name in (dataset, "published")]
    for path in memory.list_files([*folders, "data/models"]):
        for maker, pattern in patterns:
            match = pattern.match(path)
            if match and takes_part(match.groupdict(), dataset):
                yield maker, path, match.groupdict()


def takes_part(wildcards, dataset):
    """Return whether an output is part of this evaluation, not left over from other settings."""
    if "shard" in wildcards and int(wildcards["shard"]) >= len(shards_of(dataset)):
        return False
    if "part" in wildcards and wildcards["part"] not in parts_of(dataset):
        return False
    if not {"attribution", "direction"} <= set(wildcards):
        return True
    evaluation = [
        wildcards.get("model", "baseline"),
        wildcards["attribution"],
        wildcards["direction"],
    ]
    return evaluation in [*evaluations_of(dataset), *plan.list_maps(CONFIG, dataset)]


def settings_of(maker, wildcards):
    """Return the `spec` and the `code` that a job would have now."""
    wildcards = Wildcards(fromdict=wildcards)
    spec, code = maker.params.get("spec"), maker.params.get("code")
    return [value(wildcards) if callable(value) else value for value in (spec, code)]


@cache
def remember():
    """Correct the records; if settings are no rerun trigger, refuse outputs of other settings."""
    found = list(list_outputs(CONFIG["dataset"]))
    outputs = [
        memory.Output(path, maker.name, maker.name.startswith(("download_", "fetch_")))
        for maker, path, _ in found
    ]
    if RerunTrigger.PARAMS in workflow.rerun_triggers:
        for line in memory.restore_records(outputs, SnakemakeRecords()):
            logger.warning(line)
        workflow.persistence._clear_cache()
        return
    by_path = {path: (maker, wildcards) for maker, path, wildcards in found}
    memory.refuse_stale(outputs, lambda path: settings_of(*by_path[path]))


def guard(wildcards):
    """Correct the records at the first call; an input function of every rule, without files.

    At that time it is known what this run makes again, and nothing has been planned yet.
    """
    name_holder()
    try:
        remember()
    except InputError as error:
        # Snakemake would wrap any other exception of an input function in a traceback.
        logger.error(str(error))
        raise SystemExit(1) from None
    return []


if workflow.is_main_process:
    for maker in workflow.rules:
        maker.set_input(guard)
