"""docs/kubernetes.md: what its walk-throughs come to, file by file, as a reader would write them; and that its figures are those of the
manifests."""

import pathlib
import re

import yaml

from cluster import SOURCE, Judge, faults_of_restricted, of_kind, pod_spec, render
from harness import command, contains, equal, main, table, temporary_directory, test, true
from pages import Page

PAGE = SOURCE / "docs/kubernetes.md"
judge = Judge()


def files_of(heading):
    """The files that a section shows, by name."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    begin = lines.index(f"## {heading}") + 1
    end = next((i for i in range(begin, len(lines)) if lines[i].startswith("## ")), len(lines))
    return {block.file: block.text for block in Page(PAGE).blocks if block.file and begin < block.line <= end}


def followed(heading, directory):
    """What kubectl renders for a reader who has followed a section, the repository in statsidecar/."""
    place = pathlib.Path(directory).resolve()
    for name, text in files_of(heading).items():
        (place / name).write_text(text, encoding="utf-8")
    (place / "statsidecar").symlink_to(SOURCE)
    return render(place)


@test("a Deployment of yours: valid, with the sidecar, its image and the rules")
def _():
    with temporary_directory() as directory:
        manifests = followed("A Deployment of yours", directory)
    judge.check(manifests)
    deployment = of_kind(manifests, "Deployment")
    agent = pod_spec(deployment)["initContainers"][0]
    equal(agent["image"], "registry.example/statsidecar:0.1.0")
    equal(faults_of_restricted(agent), {})
    rules = {v["name"]: v for v in pod_spec(deployment)["volumes"]}["statsidecar-rules"]["configMap"]["name"]
    equal(list(of_kind(manifests, "ConfigMap", rules)["data"]), ["shop.yaml"])


@test("a CronJob: valid, run by the sidecar's program, which waits for Datadog's socket within the pod's grace")
def _():
    with temporary_directory() as directory:
        manifests = followed("A CronJob that must not lose its last events", directory)
        judge.check(manifests)
        spec = pod_spec(of_kind(manifests, "CronJob"))
        text = of_kind(manifests, "ConfigMap")["data"]["statsidecar.yaml"]
        path = pathlib.Path(directory) / "agent.yaml"
        path.write_text(text)
        done = command("check", "-c", path)
    equal((done.returncode, done.stderr), (0, ""))
    configuration = yaml.safe_load(text)
    output = configuration["outputs"][0]
    equal((output["url"], output["when_full"]), ("unix:///var/run/datadog/dsd.socket", "block"))
    true(int(configuration["shutdown_grace"].rstrip("s")) < spec["terminationGracePeriodSeconds"], "no time for it")
    agent = spec["initContainers"][0]
    program = spec["containers"][0]["command"][0]
    equal(agent["args"][-2:], ["--copy-program", program])
    contains([mount["mountPath"] for mount in agent["volumeMounts"]], "/var/run/datadog")


def shown(value):
    return "{" + ", ".join(f"{key}: {part}" for key, part in value.items()) + "}"


@test("requests and limits are those that it says")
def _():
    with temporary_directory() as directory:
        agent = pod_spec(of_kind(followed("A Deployment of yours", directory), "Deployment"))["initContainers"][0]
    for part in ("requests", "limits"):
        contains(PAGE.read_text(encoding="utf-8"), f"`{part}: {shown(agent['resources'][part])}`")


COMPONENTS = [path.name for path in sorted((SOURCE / "packaging/kubernetes/components").iterdir())]


@table([(f"the component {name} is told of", name) for name in COMPONENTS])
def _(name):
    true(re.search(rf"`{name}`|components/{name}\n", PAGE.read_text(encoding="utf-8")), "it is not")


main()
