"""packaging/helm: what the chart makes of many values, and that Kubernetes takes it."""

import pathlib
import re
import shutil

import yaml

from cluster import CHART, Judge, faults_of_restricted, of_kind, pod_spec, pod_template, run
from harness import SOURCE, command, contains, equal, main, table, temporary_directory, test, true

PARENT = SOURCE / "tests/packaging/parent-chart"
judge = Judge()

EVERYTHING = """
image: {repository: registry.example/statsidecar, digest: "sha256:%s"}
imagePullSecrets: [{name: registry}]
extraArgs: [--input, "udp://0.0.0.0:9000"]
extraEnv: [{name: DD_CARDINALITY, value: low}]
extraEnvFrom: [{configMapRef: {name: more, optional: true}}]
extraVolumes: [{name: more, emptyDir: {}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
annotations: {owner: me}
podAnnotations: {prometheus.io/scrape: "true"}
podLabels: {team: core}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{operator: Exists}]
affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
priorityClassName: system-node-critical
serviceAccount: {create: true, annotations: {a: b}}
service: {annotations: {a: b}}
serviceMonitor:
  enabled: true
  namespace: monitoring
  scrapeTimeout: 5s
  labels: {release: prometheus}
  relabelings: [{action: labeldrop, regex: pod}]
  metricRelabelings: [{action: keep, regex: "statsidecar_.*", sourceLabels: [__name__]}]
updateStrategy: {type: RollingUpdate}
rules:
  a.yaml: "rules: []\\n"
""" % ("0" * 64)

VALUES = {
    "the defaults": "",
    "a Deployment": "mode: Deployment\nreplicaCount: 3\n",
    "a sidecar for another chart": "mode: sidecar\n",
    "Datadog's socket": "receiver: {kind: datadog-socket}\n",
    "Datadog's socket by CSI": "receiver: {kind: datadog-csi}\n",
    "a StatsD daemon, with Graphite's tags": "receiver: {kind: statsd, host: graphite, dialect: graphite}\n",
    "a configuration of one's own": "config: |\n  inputs: ['udp://0.0.0.0:8127']\nreceiver: {kind: none}\n",
    "a ConfigMap of one's own": "existingConfigMap: mine\nrolloutOnConfigChange: false\n",
    "no probes": "startupProbe: null\nlivenessProbe: null\nreadinessProbe: null\n",
    "everything that can be said": EVERYTHING,
    "everything, in a Deployment": EVERYTHING + "mode: Deployment\n",
    "everything, in a sidecar": EVERYTHING + "mode: sidecar\n",
    "a long name": f"fullnameOverride: {'a' * 60}\nserviceMonitor: {{enabled: true}}\n",
}


def template(values="", chart=CHART, release="agent", want=0):
    with temporary_directory() as directory:
        file = pathlib.Path(directory) / "values.yaml"
        file.write_text(values)
        output = run("helm", "template", release, chart, "--values", file, "--namespace", "shop", want=want)
    return output if want else list(filter(None, yaml.safe_load_all(output)))


def workload(manifests):
    found = [manifest for manifest in manifests if pod_spec(manifest)]
    equal(len(found), 1)
    return found[0]


def container_of(manifests):
    return pod_spec(workload(manifests))["containers"][0]


# ---- lint, template ----


@table([(f"lint: {name}", values) for name, values in VALUES.items()])
def _(values):
    with temporary_directory() as directory:
        file = pathlib.Path(directory) / "values.yaml"
        file.write_text(values)
        output = run("helm", "lint", "--strict", CHART, "--values", file)
    true(not re.search(r"\[(WARNING|ERROR)\]", output), output)


@table([(f"template: {name}", values) for name, values in VALUES.items()])
def _(values):
    manifests = template(values)
    judge.check(manifests)
    for manifest in manifests:
        true(len(manifest["metadata"]["name"]) <= 63, manifest["metadata"]["name"])
        equal(manifest["metadata"]["labels"]["app.kubernetes.io/instance"], "agent")


@test("package: the chart can be packed")
def _():
    with temporary_directory() as directory:
        run("helm", "package", CHART, "--destination", directory)
        equal([path.name for path in pathlib.Path(directory).iterdir()], ["statsidecar-0.1.0.tgz"])


REFUSED = [
    ("a misspelt value", "image: {tagg: x}\n", "tagg"),
    ("a mode that there is not", "mode: ReplicaSet\n", "mode"),
    ("statsd without a host", "receiver: {kind: statsd}\n", "receiver.host is needed"),
    ("a rules file whose name the agent does not read", "rules: {shop.yml: ''}\n", "shop.yml"),
]


@table([(f"refused: {name}", values, part) for name, values, part in REFUSED])
def _(values, part):
    contains(template(values, want=1), part)


# ---- what it means ----


@test("the versions of chart and program are the source's")
def _():
    version = re.search(r"AC_INIT\(\[\w+\], \[([^]]+)\]", (SOURCE / "configure.ac").read_text()).group(1)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    equal((chart["version"], chart["appVersion"]), (version, version))
    equal(container_of(template())["image"], f"statsidecar:{version}")


@table([(f"restricted: {mode}", mode) for mode in ("DaemonSet", "Deployment")])
def _(mode):
    manifests = template(f"mode: {mode}\n")
    spec = pod_spec(workload(manifests))
    equal(faults_of_restricted(spec["containers"][0], spec["securityContext"]), {})
    equal(workload(manifests)["kind"], mode)


@test("extra arguments and variables come last, and so win")
def _():
    container = container_of(template(EVERYTHING))
    equal(container["args"], ["run", "--input", "udp://0.0.0.0:9000"])
    equal(container["env"][-1], {"name": "DD_CARDINALITY", "value": "low"})
    equal(container["image"], "registry.example/statsidecar@sha256:" + "0" * 64)


@test("the checksum changes with the configuration and with the rules, and with nothing else")
def _():
    def checksum(values):
        return pod_template(workload(template(values)))["metadata"]["annotations"]["checksum/config"]

    plain = checksum("")
    equal(checksum("podLabels: {a: b}\n"), plain)
    equal(len({plain, checksum("config: 'include: [job]'\n"), checksum("rules: {a.yaml: ''}\n")}), 3)


@table([(f"the chart's own configuration has no faults: {mode}", mode) for mode in ("DaemonSet", "Deployment", "sidecar")])
def _(mode):
    text = of_kind(template(f"mode: {mode}\n"), "ConfigMap")["data"]["statsidecar.yaml"]
    with temporary_directory() as directory:
        path = pathlib.Path(directory) / "statsidecar.yaml"
        path.write_text(text)
        done = command("check", "-c", path)
    equal((done.returncode, done.stderr), (0, ""))


@test("the sidecar's configuration is the one of the kustomize component")
def _():
    chart = of_kind(template("mode: sidecar\n"), "ConfigMap")["data"]["statsidecar.yaml"]
    component = (SOURCE / "packaging/kubernetes/components/sidecar/statsidecar.yaml").read_text()
    equal(yaml.safe_load(chart), yaml.safe_load(component))


@test("a chart of somebody's puts the agent into its pods")
def _():
    with temporary_directory() as directory:
        parent = pathlib.Path(directory) / "shop"
        shutil.copytree(PARENT, parent)
        shutil.copytree(CHART, parent / "charts/statsidecar")
        run("helm", "lint", "--strict", parent)
        manifests = template(chart=parent, release="shop")
    judge.check(manifests)
    spec = pod_spec(workload(manifests))
    agent = spec["initContainers"][0]
    equal(agent["restartPolicy"], "Always")
    equal(faults_of_restricted(agent), {})
    equal(agent["image"], "registry.example/statsidecar:0.1.0")
    maps = {volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume}
    equal(maps, {m["metadata"]["name"] for m in manifests if m["kind"] == "ConfigMap"})
    equal(spec["containers"][0]["env"], [{"name": "STATSIDECAR_TO", "value": "fifo:///run/statsidecar/events"}])


main()
