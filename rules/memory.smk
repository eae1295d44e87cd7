"""Before a run is planned: Snakemake's records of the outputs, put right by the outputs' stamps."""

from clip_grounding.workflow import memory
from snakemake.iocontainers import Wildcards
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.settings.types import RerunTrigger


class SnakemakeRecords:
    """The records in .snakemake, through what Snakemake itself reads and writes them with."""

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
    """The outputs of today's settings that are there, each with its rule and wildcards."""
    patterns = [(maker, pattern) for maker in workflow.rules for pattern in maker.output]
    folders = [f"{top}/{name}" for top in ("data", "results") for name in (dataset, "published")]
    for path in memory.list_files([*folders, "data/models"]):
        for maker, pattern in patterns:
            match = pattern.match(path)
            if match and takes_part(match.groupdict(), dataset):
                yield maker, path, match.groupdict()


def takes_part(wildcards, dataset):
    """Whether an output is part of this evaluation, not left over from other settings."""
    if "shard" in wildcards and int(wildcards["shard"]) >= len(shards_of(dataset)):
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
    """The `spec` and the `code` that a job would have today."""
    wildcards = Wildcards(fromdict=wildcards)
    spec, code = maker.params.get("spec"), maker.params.get("code")
    return [value(wildcards) if callable(value) else value for value in (spec, code)]


@cache
def remember():
    """Restore records; where other settings rerun nothing, refuse outputs that they made."""
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
    """An input function of every rule, which needs nothing: the first one called remembers.

    Only then is known what this run makes again, and nothing has been planned yet.
    """
    try:
        remember()
    except InputError as error:
        # Snakemake would wrap another exception of an input function into its traceback.
        logger.error(str(error))
        raise SystemExit(1) from None
    return []


if workflow.is_main_process:
    for maker in workflow.rules:
        maker.set_input(guard)
