"""A real Slurm of one node on loopback, with as many CPUs, GPUs and as much memory as one says.

munged, slurmctld and slurmd run as whoever starts them, in the foreground and out of one
folder. The clients find the configuration by SLURM_CONF, so /etc/slurm and a Slurm of the
machine's own stay out of it. There is no accounting database: what was is asked of scontrol.
"""

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random")  # GPUs, as far as Slurm knows
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

SLURM_CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
# Memory is summed up from /proc every second; what exceeds its request is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MinJobAge=3600
ReturnToService=2
SlurmdTimeout={node_timeout}
SlurmctldTimeout=30
InactiveLimit=0
KillWait=3
OverTimeLimit=0
GresTypes=gpu
# Believe the numbers below, whatever the hardware has.
SlurmdParameters=config_overrides
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 Port={node_port} CPUs={cpus} \
RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes=node Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


@dataclass
class SlurmNode:
    """Use as a context: up on entering, and on leaving every process it started is stopped.

    The folder's path must be short: a socket in it takes part in a name of 108 bytes.
    """

    folder: Path
    cpus: int = 8
    gpus: int = 2
    memory: int = 64_000
    node_timeout: int = 60
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    def __enter__(self):
        ports = free_ports(2)
        facts = {
            "folder": self.folder,
            "host": socket.gethostname().partition(".")[0],
            "user": getpass.getuser(),
            "controller_port": ports[0],
            "node_port": ports[1],
            "cpus": self.cpus,
            "memory": self.memory,
            "gpus": self.gpus,
            "node_timeout": self.node_timeout,
        }
        gres = [f"NodeName=node Name=gpu File={device}" for device in DEVICES[: self.gpus]]
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        (self.folder / "slurm.conf").write_text(SLURM_CONF.format(**facts))
        (self.folder / "gres.conf").write_text("\n".join(["AutoDetect=off", *gres, ""]))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        # Inside a job Snakemake's plugin calls srun with every SLURM_ variable removed.
        srun = self.folder / "bin" / "srun"
        srun.write_text(f'#!/bin/sh\n{self._exports()} exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        try:
            self.start("munged")
            self.start("slurmctld")
            self.start("slurmd")
            self.wait_until(lambda: self.state() == "idle", "the node is idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if "slurmctld" in self.processes:
            self.client("scancel", "--user", getpass.getuser(), check=False)
            self.wait_until(lambda: not self.client("squeue", "-h", check=False), None, 15)
        for name in ("slurmd", "slurmctld", "munged"):
            if name in self.processes:
                self.stop(name)

    def _exports(self) -> str:
        return f"SLURM_CONF={self.folder}/slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to talk to this Slurm and no other."""
        others = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
        return {
            **others,
            "PATH": f"{self.folder}/bin:{PATH}",
            "SLURM_CONF": f"{self.folder}/slurm.conf",
        }

    def start(self, name: str) -> None:
        """Start a daemon in the foreground; its output goes to a file of its name."""
        commands = {
            "munged": [
                "munged", "--foreground", "--force",  # in a folder that others need not enter
                f"--key-file={self.folder}/munge.key",
                f"--socket={self.folder}/munge.socket", f"--pid-file={self.folder}/munged.pid",
                f"--log-file={self.folder}/munged.log", f"--seed-file={self.folder}/munge.seed",
            ],
            "slurmctld": ["slurmctld", "-D"],
            "slurmd": ["slurmd", "-D"],
        }  # fmt: skip
        with open(self.folder / f"{name}.out", "a") as output:
            self.processes[name] = subprocess.Popen(
                commands[name],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C on a test is not for them
            )
        if name == "munged":
            socket_path = self.folder / "munge.socket"
            self.wait_until(socket_path.exists, "munge answers")

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(how)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def client(self, *command: str, check=True) -> str:
        """Run a Slurm client; gives what it prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=30, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout.strip()

    def state(self) -> str:
        return self.client("sinfo", "-h", "-o", "%T", check=False)

    def jobs(self) -> list[dict[str, str]]:
        """Slurm's record of every job so far, as scontrol shows it, in the order of their ids."""
        text = self.client("scontrol", "--oneliner", "--all", "show", "job", check=False)
        jobs = [
            dict(re.findall(r"(\w[\w/:]*)=(\S*)", line))
            for line in text.splitlines()
            if line.startswith("JobId=")
        ]
        return sorted(jobs, key=lambda job: int(job["JobId"]))

    def wait_until(self, condition, what: str | None, seconds: float = 30) -> bool:
        """Wait for a condition; of `what` None, no more than so long, else it is an error."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.1)
        if what is None:
            return False
        logs = "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.out"))
        raise TimeoutError(f"not within {seconds} s: {what}\n{logs}")

    def processes_of_jobs(self) -> list[psutil.Process]:
        """Every process of this Slurm's jobs, each slurmstepd ahead of what it looks after."""
        stewards, found = {}, []
        for process in psutil.process_iter():
            try:
                environment = process.environ()
                if environment.get("SLURM_CONF") != f"{self.folder}/slurm.conf":
                    continue
                if "SLURM_JOB_ID" in environment:
                    found.append(process)
                    stewards |= {
                        parent.pid: parent
                        for parent in process.parents()
                        if parent.name() == "slurmstepd"
                    }
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return [*stewards.values(), *found]

    def wait_for_script(self, shard: str, seconds: float = 120) -> psutil.Process:
        """The process of the script that works on a shard, once it runs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            jobs = [job["JobId"] for job in self.jobs() if job.get("Comment", "").endswith(shard)]
            for process in self.processes_of_jobs():
                try:
                    script = ".snakemake/scripts/" in " ".join(process.cmdline())
                    if script and process.environ().get("SLURM_JOB_ID") in jobs:
                        return process
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.1)
        raise TimeoutError(f"no script works on shard {shard}: {self.jobs()}")


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
