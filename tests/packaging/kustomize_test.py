"""packaging/kubernetes: what kustomize makes of every overlay, for every kind of workload, and that Kubernetes takes it."""

import os
import pathlib

import yaml

from cluster import KUBERNETES, Judge, faults_of_restricted, of_kind, pod_spec, pod_template, render, run
from harness import command, contains, equal, main, table, temporary_directory, test, true

COMPONENTS = KUBERNETES / "components"
OVERLAYS = sorted(path.parent.name for path in (KUBERNETES / "overlays").glob("*/kustomization.yaml"))
KINDS = {"Deployment": "deployment", "StatefulSet": "stateful-set", "DaemonSet": "daemon-set", "Job": "job", "CronJob": "cron-job"}
WAYS = {
    "the sidecar alone": [],
    "Datadog by UDP": ["datadog-udp"],
    "Datadog's socket": ["datadog-socket"],
    "Datadog's socket by CSI": ["datadog-csi"],
    "Graphite": ["graphite"],
    "Graphite, scraped by annotations": ["graphite", "prometheus-annotations"],
    "Datadog by UDP, scraped by the Prometheus Operator": ["datadog-udp", "service-monitor"],
    "a group of their own": ["datadog-udp", "fs-group"],
}
RULES = "rules: [{match: order.created, metrics: [{counter: orders}]}]\n"
judge = Judge()


def kustomized(directory, resources, components=(), more="", files=()):
    """A kustomization of somebody's, in a directory of its own; paths in it are relative, as kustomize wants them."""
    place = pathlib.Path(directory).resolve() / "mine"
    place.mkdir(exist_ok=True)
    for name, text in dict(files).items():
        (place / name).write_text(text)
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "resources:"]
    lines += [f"- {resource}" for resource in resources]
    lines += ["components:"] if components else []
    lines += [f"- {os.path.relpath(COMPONENTS / component, place)}" for component in components]
    (place / "kustomization.yaml").write_text("\n".join(lines) + "\n" + more)
    return render(place)


def example(kind):
    return (KUBERNETES / "example" / f"{KINDS[kind]}.yaml").read_text()


def agent_of(spec):
    first = spec["initContainers"][0]
    equal(first["name"], "statsidecar", "it comes before the application's init containers")
    return first


def value_of(container, variable):
    found = [entry for entry in container.get("env", []) if entry["name"] == variable]
    true(len(found) <= 1, f"{variable} twice")
    return found[0] if found else None


# ---- what the files render ----


@table([(f"overlay {name}: every manifest is valid", name) for name in OVERLAYS])
def _(name):
    manifests = render(KUBERNETES / "overlays" / name)
    judge.check(manifests)
    equal({kind for kind in KINDS if of_kind(manifests, kind)}, set(KINDS))


@test("daemon-set: every manifest is valid, and its agent is restricted")
def _():
    manifests = render(KUBERNETES / "daemon-set")
    judge.check(manifests)
    spec = pod_spec(of_kind(manifests, "DaemonSet"))
    equal(faults_of_restricted(spec["containers"][0], spec["securityContext"]), {})
    selector = of_kind(manifests, "Service")["spec"]["selector"]
    true(selector.items() <= pod_template(of_kind(manifests, "DaemonSet"))["metadata"]["labels"].items(), selector)


@test("every component is in an overlay")
def _():
    equal(sorted(path.name for path in COMPONENTS.iterdir()), sorted({*OVERLAYS, "sidecar"}))


@table([(f"{kind}, {way}", kind, components) for kind in KINDS for way, components in WAYS.items()])
def _(kind, components):
    with temporary_directory() as directory:
        files = {"mine.yaml": example(kind)}
        before = kustomized(directory, ["mine.yaml"], files=files)
        after = kustomized(directory, ["mine.yaml"], ["sidecar", *components], files=files)
    judge.check(after)
    spec = pod_spec(of_kind(after, kind))
    agent = agent_of(spec)
    equal(agent["restartPolicy"], "Always")
    equal(faults_of_restricted(agent), {})
    equal(agent["startupProbe"]["exec"]["command"][1:], ["health", "--ready"])
    equal(set(agent["resources"]), {"requests", "limits"})
    others = [c for c in spec["containers"] + spec["initContainers"] if c is not agent]
    equal({c["name"] for c in others}, {c["name"] for c in all_containers(pod_spec(of_kind(before, kind)))})
    for container in others:
        contains([m["mountPath"] for m in container["volumeMounts"] if m["name"] == "statsidecar-run"], "/run/statsidecar")
        equal(value_of(container, "STATSIDECAR_TO")["value"], "fifo:///run/statsidecar/events")
    equal(pod_template(of_kind(after, kind))["metadata"]["labels"]["statsidecar"], "sidecar")


def all_containers(spec):
    return spec["containers"] + spec.get("initContainers", [])


# ---- what they mean ----


@test("where the metrics go: Datadog's address is the node's, its socket's directory is mounted, Graphite has its dialect")
def _():
    def agent(overlay):
        return agent_of(pod_spec(of_kind(render(KUBERNETES / "overlays" / overlay), "CronJob")))

    equal(value_of(agent("datadog-udp"), "DD_AGENT_HOST")["valueFrom"]["fieldRef"]["fieldPath"], "status.hostIP")
    equal(value_of(agent("datadog-udp"), "DD_ENTITY_ID")["valueFrom"]["fieldRef"]["fieldPath"], "metadata.uid")
    for overlay in ("datadog-socket", "datadog-csi"):
        equal(value_of(agent(overlay), "DD_DOGSTATSD_URL")["value"], "unix:///var/run/datadog/dsd.socket")
        contains([mount["mountPath"] for mount in agent(overlay)["volumeMounts"]], "/var/run/datadog")
    equal(agent("graphite")["args"][-2:], ["--dialect", "graphite"])
    equal(value_of(agent("graphite"), "STATSD_HOST")["value"], "graphite-statsd")


@test("a workload with the label `statsidecar: off` stays as it is")
def _():
    without = example("Deployment").replace("  name: shop\n", '  name: shop\n  labels: {statsidecar: "off"}\n', 1)
    files = {"without.yaml": without, "with.yaml": example("CronJob")}
    with temporary_directory() as directory:
        before = kustomized(directory, list(files), files=files)
        after = kustomized(directory, list(files), ["sidecar", "datadog-socket", "prometheus-annotations", "fs-group"], files=files)
    equal(of_kind(after, "Deployment"), of_kind(before, "Deployment"))
    true(of_kind(after, "CronJob") != of_kind(before, "CronJob"), "the other has no sidecar")


@test("rules of one's own: the pods mount the generated ConfigMap, whatever its name's suffix is")
def _():
    more = "configMapGenerator:\n- {name: statsidecar-rules, files: [shop.yaml]}\n"
    files = {"mine.yaml": example("CronJob"), "shop.yaml": RULES}
    with temporary_directory() as directory:
        after = kustomized(directory, ["mine.yaml"], ["sidecar"], more, files)
    judge.check(after)
    volumes = {v["name"]: v for v in pod_spec(of_kind(after, "CronJob"))["volumes"]}
    name = volumes["statsidecar-rules"]["configMap"]["name"]
    true(name.startswith("statsidecar-rules-"), name)
    equal(of_kind(after, "ConfigMap", name)["data"], {"shop.yaml": RULES})


@test("the image, the receiver and the agent's own configuration are changed as one changes them with kustomize")
def _():
    more = """
images:
- {name: statsidecar, newName: registry.example/statsidecar, newTag: "9"}
patches:
- target: {kind: ConfigMap, name: statsidecar}
  patch: |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: statsidecar}
    data: {statsidecar.yaml: "include: [job]"}
"""
    with temporary_directory() as directory:
        after = kustomized(directory, ["mine.yaml"], ["sidecar"], more, {"mine.yaml": example("Deployment")})
    judge.check(after)
    equal(agent_of(pod_spec(of_kind(after, "Deployment")))["image"], "registry.example/statsidecar:9")
    equal(of_kind(after, "ConfigMap")["data"]["statsidecar.yaml"], "include: [job]")


@test("the Service for Prometheus finds the pods that have the sidecar, and the ServiceMonitor the Service")
def _():
    manifests = render(KUBERNETES / "overlays/service-monitor")
    service, monitor = of_kind(manifests, "Service"), of_kind(manifests, "ServiceMonitor")
    equal(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
    equal([e["port"] for e in monitor["spec"]["endpoints"]], [p["name"] for p in service["spec"]["ports"]])
    for kind in KINDS:
        labels = pod_template(of_kind(manifests, kind))["metadata"]["labels"]
        true(service["spec"]["selector"].items() <= labels.items(), labels)


@table([(f"component {path.name}: a CronJob's pods are given what all others are", path)
        for path in sorted(COMPONENTS.iterdir()) if (path / "cron-job.yaml").exists()])  # fmt: skip
def _(path):
    others = yaml.safe_load((path / "pod-template.yaml").read_text())
    cron_job = yaml.safe_load((path / "cron-job.yaml").read_text())
    equal(pod_template(cron_job), pod_template(others))


# ---- the configurations ----


def configurations():
    yield from sorted(KUBERNETES.glob("*/statsidecar.yaml"))
    yield from (path for path in sorted(KUBERNETES.glob("*/*/statsidecar.yaml")) if path.parent.name != "fs-group")


@table([(f"{path.relative_to(KUBERNETES)} is a configuration without faults", path) for path in configurations()])
def _(path):
    done = command("check", "-c", path, env={"DD_AGENT_HOST": "192.0.2.1"})
    equal((done.returncode, done.stderr), (0, ""))


@test("fs-group: its configuration differs in the modes alone")
def _():
    rendered = of_kind(render(KUBERNETES / "overlays/fs-group"), "ConfigMap")["data"]["statsidecar.yaml"]
    plain = (COMPONENTS / "sidecar/statsidecar.yaml").read_text()
    meant = yaml.safe_load(plain.replace("mode: 0622", "mode: 0620"))
    equal(yaml.safe_load(rendered), meant)


# ---- the judge ----

WRONG = [
    ("a misspelt field", lambda m: pod_spec(m)["containers"][0].update(volumMounts=[]), "volumMounts"),
    ("a misspelt field deep inside", lambda m: pod_spec(m)["containers"][0].update(livenessProbe={"exec": {"comand": []}}), "comand"),
    ("a wrong type", lambda m: m["spec"].update(replicas="two"), "replicas"),
    ("a missing field", lambda m: m["spec"].pop("selector"), "selector"),
    ("a mount of no volume", lambda m: pod_spec(m)["containers"][0].update(volumeMounts=[{"name": "x", "mountPath": "/x"}]), "no volume"),
    ("a selector that misses", lambda m: m["spec"]["selector"].update(matchLabels={"app": "other"}), "does not fit"),
]


@table([(f"the judge finds {name}", change, part) for name, change, part in WRONG])
def _(change, part):
    manifest = yaml.safe_load(example("Deployment"))
    judge.check([manifest])
    change(manifest)
    try:
        judge.check([manifest])
    except AssertionError as failure:
        contains(str(failure), part)
    else:
        true(False, "it was taken")


@test("kubectl complains of what is no kustomization")
def _():
    with temporary_directory() as directory:
        contains(run("kubectl", "kustomize", directory, want=1), "unable to find one of 'kustomization.yaml'")


main()
