"""What docs/many_machines.md shows can be pasted."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from kgan import workers
from kgan.zoo import options

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "many_machines.md").read_text()
NODES = ["node3", "node4", "node7"]


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def check_command(words):
    """Raises unless a zoo program knows these flags, and trains with other workers."""
    assert words[:2] == ["-m", "kgan.zoo.dcgan"]
    given, _ = options.parse(words[2:])
    assert given["strategy"] == "multi_worker" and given["resume"]
    return given


def test_the_command_line():
    text = re.search(r"^    (TF_CONFIG=.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)[1]
    config, program, *words = shlex.split(text.replace("\\\n", " "))
    jobs, job, index = workers.read_config(dict([config.split("=", 1)]))
    assert (len(jobs["worker"]), job, index, program) == (2, "worker", 0, "python")
    check_command(words)
    chief = re.search(r'`(\{"chief".*?\})`', PAGE)[1]
    task = {"type": "chief", "index": 0}
    workers.read_config({"TF_CONFIG": json.dumps({"cluster": json.loads(chief), "task": task})})


@pytest.fixture
def slurm(tmp_path):
    """What a node has in its PATH, as far as the script goes: `srun` runs every task in turn."""
    programs = {
        "scontrol": '[ "$1" = show ] && printf "%s\\n" ' + " ".join(NODES) + ' || echo "$@" >&2',
        "srun": f"shift; for i in {' '.join(map(str, range(len(NODES))))}; "
        'do SLURM_PROCID=$i "$@"; done; exit $STATUS',
        "python": 'echo "$TF_CONFIG"; printf "%s\\n" "$@" > "$ARGUMENTS"',
    }
    for name, text in programs.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def run(status):
        return subprocess.run(
            ["bash", "-c", block("bash")],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "SLURM_JOB_ID": "4711",
                "SLURM_JOB_NAME": "dcgan",
                "SLURM_JOB_NODELIST": "node[3-4,7]",
                "SCRATCH": "/scratch",
                "STATUS": str(status),
                "ARGUMENTS": str(tmp_path / "arguments"),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_batch_script_tells_each_task_who_it_is(slurm, tmp_path):
    done = slurm(status=0)
    assert done.returncode == 0 and not done.stderr
    configs = [workers.read_config({"TF_CONFIG": line}) for line in done.stdout.splitlines()]
    addresses = [f"{node}:24711" for node in NODES]
    assert configs == [({"worker": addresses}, "worker", i) for i in range(len(NODES))]
    given = check_command((tmp_path / "arguments").read_text().splitlines())
    assert given["out"] == "/scratch/runs/dcgan"


def test_the_batch_script_goes_on_where_it_was_asked_to_end(slurm):
    for status in (130, 143):
        assert "requeue 4711" in slurm(status=status).stderr
    failed = slurm(status=1)
    assert failed.returncode == 1 and "requeue" not in failed.stderr


def test_the_manifest():
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load(block("yaml"))
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob")
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    # The operator looks for both names.
    assert container["name"] == "tensorflow"
    assert container["ports"] == [{"name": "tfjob-port", "containerPort": 2222}]
    program, *words = container["command"]
    given = check_command(words)
    gpus = worker["replicas"] * container["resources"]["limits"]["nvidia.com/gpu"]
    assert program == "python" and given["batch_size"] % gpus == 0
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in worker["template"]["spec"]["volumes"]}


def test_times_are_those_of_the_code():
    assert f"said nothing for {workers.HEARTBEAT_SECONDS} seconds" in " ".join(PAGE.split())
    assert workers.START_SECONDS == 30 * 60 and "waits half an hour" in PAGE


def test_the_prediction_is_that_of_the_script():
    results = pathlib.Path(__file__).parents[1] / "benchmarks" / "results"
    rows = json.loads((results / "scaling_hypothetical.json").read_text())["rows"]
    for accelerators in ("8", "256"):
        (line,) = re.findall(rf"^\| {accelerators} \| .*$", PAGE, re.MULTILINE)
        shown = [float(number.replace(",", "")) for number in re.findall(r"[\d.,]+", line)]
        found = {
            way: [r for r in of if r["accelerators"] == shown[0]][0] for way, of in rows.items()
        }
        without, overlapped = found["without overlap"], found["with overlap"]
        expected = [shown[0], 1e3 * without["reduction_seconds"]]
        for way in (without, overlapped):
            expected += [way["images_per_second"], 100 * way["efficiency"]]
        assert shown == pytest.approx(expected, rel=2e-3)
