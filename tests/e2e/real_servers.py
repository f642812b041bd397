"""Real receivers for the tests, none of them ours: fetched once from Debian and the npm registry into a cache directory,
nothing of the machine is changed; run unprivileged on loopback, each in a directory of its own, ended by their ids.

    with StatsdGraphite() as real:           # npm's statsd, Debian's carbon and graphite-web
        ... send to real.url ...
        real.wait_for("stats.counters.a.count", lambda series: series.total() == 3)

A new receiver is a class with debian() or npm() for its files and a Stack of Servers for its processes. What cannot be fetched
skips the test.

STATSIDECAR_CACHE names the cache directory; without it real-servers in the build directory ($builddir).
"""

import contextlib
import ctypes
import fcntl
import glob
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from harness import DEADLINE, SOURCE, Failure, need, skip, temporary_directory, wait_until

BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE / "build").resolve()
CACHE = pathlib.Path(os.environ.get("STATSIDECAR_CACHE") or BUILD / "real-servers").resolve()
NOBODY = 65534
PYTHON = "/usr/bin/python3"  # that Debian's modules are made for
# A mirror that hangs up once is asked again.
APT_RETRIES = ["-o", "Acquire::Retries=5"]
NPM_RETRIES = ["--fetch-retries=5", "--fetch-retry-mintimeout=1000"]


# ---- fetching ----


@contextlib.contextmanager
def _locked():
    """Tests run side by side share the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(what, *arguments, cwd=None):
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            cwd=cwd,
            timeout=600,
        )
    except FileNotFoundError:
        skip(f"{what}: {arguments[0]} is not installed")
    return done.returncode == 0, done.stdout.decode(errors="replace")


def _fetched(kind, names, fill):
    """The directory that fill() made for these names, now or in an earlier run."""
    key = hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]
    place = CACHE / f"{kind}-{re.sub('[^a-z0-9]', '', names[0])}-{key}"
    with _locked():
        if not place.exists():
            unfinished = place.with_name(place.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            fill(unfinished)
            unfinished.rename(place)
    return place


def debian(*packages):
    """Debian's packages and what they need and the machine lacks, unpacked below the directory that comes back."""

    def fill(place):
        what = f"Debian's {', '.join(packages)}"
        state = CACHE / "apt"
        archives = place / "archives"
        (archives / "partial").mkdir(parents=True)
        download = ["apt-get", "-q", "-y", "--no-install-recommends", "--download-only", "-o", "Debug::NoLocking=1", *APT_RETRIES]
        download += ["-o", f"Dir::Cache::archives={archives}", "install", *packages]
        fetched, log = _run(what, *download)
        if not fetched:
            # Lists of our own: the machine's may be missing or old.
            own = ["-o", f"Dir::State::lists={state / 'lists'}", "-o", f"Dir::Cache={state}"]
            (state / "lists/partial").mkdir(parents=True, exist_ok=True)
            (state / "archives/partial").mkdir(parents=True, exist_ok=True)
            _run(what, "apt-get", "-q", *own, *APT_RETRIES, "update")
            fetched, log = _run(what, *download[:1], *own, *download[1:])
        if not fetched:
            skip(f"{what} cannot be fetched: " + " ".join(log.split()[-40:]))
        for archive in sorted(archives.glob("*.deb")):
            unpacked, log = _run(what, "dpkg-deb", "-x", str(archive), str(place))
            if not unpacked:
                raise Failure(f"dpkg-deb {archive.name}: {log}")
        shutil.rmtree(archives)
        # Python's modules ask for some libraries by the names that development packages give them.
        for library in place.glob("usr/lib/*-linux-gnu*/lib*.so.*"):
            plain = library.with_name(library.name.split(".so.")[0] + ".so")
            if not plain.exists():
                plain.symlink_to(library.name)

    return _fetched("debian", packages, fill)


def libraries(root):
    """What programs of unpacked packages find their shared libraries by."""
    return {"LD_LIBRARY_PATH": ":".join(glob.glob(str(root / "usr/lib/*-linux-gnu*")))}


def npm(package, *more):
    """Packages of the npm registry: the directory that has them in node_modules/. Node itself must be installed: Debian's cannot
    be used from elsewhere."""
    need("node", "npm")

    def fill(place):
        what = f"npm's {package}"
        install = ["npm", "install", "--no-audit", "--no-fund", "--omit=optional", "--ignore-scripts", "--no-save", *NPM_RETRIES]
        install += ["--prefix", str(place), package, *more]
        fetched, log = _run(what, *install, cwd=place)
        if not fetched:
            skip(f"{what} cannot be fetched: " + " ".join(log.split()[-40:]))

    return _fetched("npm", [package, *more], fill)


def find_program(root, name):
    """A program of the unpacked packages, or the machine's own."""
    for folder in ("usr/sbin", "usr/bin", "sbin", "bin"):
        if (root / folder / name).exists():
            return str(root / folder / name)
    return shutil.which(name) or skip(f"{name} is not among the fetched files")


# ---- processes ----


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_udp_bound(port):
    return f":{port:04X} " in pathlib.Path("/proc/net/udp").read_text()


def _is_open_to_all(path):
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])


def die_with_parent():
    """A test that is killed leaves no server behind."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One process in the foreground; its output goes to a file."""

    def __init__(self, stack, name, *arguments, env=None):
        self.name = name
        self.log = stack.directory / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=stack.directory,
                env={"PATH": os.environ["PATH"], "HOME": str(stack.directory), "LC_ALL": "C.UTF-8", **(env or {})},
                preexec_fn=die_with_parent,
                **stack.identity,
            )

    def log_tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def wait_until(self, condition, what):
        def is_so():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with status {self.process.returncode}:\n{self.log_tail()}")
            return condition()

        try:
            return wait_until(is_so, f"{self.name}: {what}")
        except Failure as failure:
            raise Failure(f"{failure}\n{self.log_tail()}") from None

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(DEADLINE / 6)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Stack:
    """Servers that belong together, in a `with`: start() of the class starts them in one directory, the end stops them."""

    def __init__(self):
        # By root they are run as nobody, unless nobody cannot reach their files.
        self.identity = {}
        if os.geteuid() == 0 and CACHE.exists() and _is_open_to_all(CACHE):
            self.identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.servers = []
        self._directory = temporary_directory()
        self.directory = pathlib.Path(self._directory.name)

    def run(self, name, *arguments, env=None):
        server = Server(self, name, *arguments, env=env)
        self.servers.append(server)
        return server

    def folder(self, name):
        path = self.directory / name
        path.mkdir(parents=True)
        return self._own(path)

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return self._own(path)

    def _own(self, path):
        if self.identity:
            os.chown(path, NOBODY, NOBODY)
        return path

    def start(self):
        raise NotImplementedError

    def logs(self):
        return "\n".join(f"{server.name}:\n{server.log_tail()}" for server in self.servers)

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        self._directory.cleanup()

    def __enter__(self):
        try:
            self._own(self.directory)
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()


# ---- StatsD and Graphite ----


class Series:
    """What Graphite answers: one or several series with their points, those without a value left out."""

    def __init__(self, answer):
        self.answer = answer

    def __len__(self):
        return len(self.answer)

    def points(self):
        return [value for series in self.answer for value, _ in series["datapoints"] if value is not None]

    def total(self):
        return round(sum(self.points()), 6)

    def tags(self):
        """Of the only series there is, its name among them."""
        if len(self.answer) != 1:
            raise Failure(f"one series wanted, got {[series['target'] for series in self.answer]}")
        return self.answer[0]["tags"]

    def __repr__(self):
        rows = [(series["target"], [p for p in series["datapoints"] if p[0] is not None]) for series in self.answer]
        return "\n".join(f"{target}: {points[-20:]}" for target, points in rows) or "no series"


class StatsdGraphite(Stack):
    """statsd of npm, carbon and graphite-web of Debian behind it. Points stand for FLUSH_S seconds each, and are there as long as
    something was counted in them: their sums are what was sent."""

    # Two flushes never fall into one second, which is how long a point of Graphite is.
    FLUSH_S = 2

    def __init__(self, statistics=("count", "sum", "lower", "upper")):
        """Of timers these statistics are kept; without any, what statsd does by itself."""
        self._statistics = statistics
        self._debian = debian("graphite-carbon", "graphite-web")
        self._npm = npm("statsd@0.9.0")
        super().__init__()

    def start(self):
        self._web_port = free_port()
        self._carbon_port = free_port()
        self.port = free_port(socket.SOCK_DGRAM)
        self._management_port = free_port()
        self.url = f"udp://127.0.0.1:{self.port}"
        modules = self._debian / "usr/lib/python3/dist-packages"
        self._python = {
            "PYTHONPATH": f"{self.directory}:{modules}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **libraries(self._debian),
        }
        for name in ("whisper", "logs", "conf", "run"):
            self.folder(name)
        self._start_web()
        self._start_carbon()
        self._start_statsd()

    def _start_web(self):
        cache_port = self._cache_port = free_port()
        self.file(
            "graphite_test_settings.py",
            "from graphite.settings import *\n"
            f"STORAGE_DIR = {str(self.directory)!r}\n"
            f"WHISPER_DIR = {str(self.directory / 'whisper')!r}\n"
            f"LOG_DIR = {str(self.directory / 'logs')!r}\n"
            f"INDEX_FILE = {str(self.directory / 'index')!r}\n"
            "STANDARD_DIRS = [WHISPER_DIR]\n"
            "LOG_ROTATION = False\n"
            "USE_WORKER_POOL = False\n"
            "DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'\n"
            "SILENCED_SYSTEM_CHECKS = ['admin.W411']\n"
            "SECRET_KEY = 'only for tests'\n"
            "ALLOWED_HOSTS = ['127.0.0.1']\n"
            f"CARBONLINK_HOSTS = ['127.0.0.1:{cache_port}']\n"
            "CACHES = {'default': {'BACKEND': 'django.core.cache.backends.dummy.DummyCache'}}\n"
            "TAGDB = 'graphite.tags.localdatabase.LocalDatabaseTagDB'\n"
            f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': {str(self.directory / 'db')!r},"
            " 'OPTIONS': {'timeout': 30}}}\n",
        )
        env = {**self._python, "DJANGO_SETTINGS_MODULE": "graphite_test_settings", "GRAPHITE_CONF_DIR": "conf"}
        django = [PYTHON, "-W", "ignore", "-m", "django"]
        migration = self.run("migrate", *django, "migrate", "--run-syncdb", "--no-color", env=env)
        if migration.process.wait(DEADLINE) != 0:
            raise Failure(f"graphite-web's migration failed:\n{migration.log_tail()}")
        address = f"127.0.0.1:{self._web_port}"
        web = self.run("graphite-web", *django, "runserver", "--noreload", "--insecure", address, env=env)
        web.wait_until(lambda: is_listening(self._web_port), "no port opened")

    def _start_carbon(self):
        self.file("conf/storage-schemas.conf", "[all]\npattern = .*\nretentions = 1s:10m\n")
        # A point is what came last: nothing is averaged away.
        self.file("conf/storage-aggregation.conf", "[all]\npattern = .*\nxFilesFactor = 0\naggregationMethod = last\n")
        configuration = self.file(
            "conf/carbon.conf",
            "[cache]\n"
            f"STORAGE_DIR = {self.directory}\n"
            f"LOCAL_DATA_DIR = {self.directory}/whisper\n"
            f"CONF_DIR = {self.directory}/conf\n"
            f"LOG_DIR = {self.directory}/logs\n"
            f"PID_DIR = {self.directory}/run\n"
            "USER =\n"
            "ENABLE_LOGROTATION = False\n"
            "MAX_CACHE_SIZE = inf\n"
            "MAX_UPDATES_PER_SECOND = inf\n"
            "MAX_CREATES_PER_MINUTE = inf\n"
            "LINE_RECEIVER_INTERFACE = 127.0.0.1\n"
            f"LINE_RECEIVER_PORT = {self._carbon_port}\n"
            "PICKLE_RECEIVER_INTERFACE = 127.0.0.1\n"
            "PICKLE_RECEIVER_PORT = 0\n"
            "CACHE_QUERY_INTERFACE = 127.0.0.1\n"
            f"CACHE_QUERY_PORT = {self._cache_port}\n"
            "CARBON_METRIC_INTERVAL = 0\n"
            "ENABLE_TAGS = True\n"
            f"GRAPHITE_URL = http://127.0.0.1:{self._web_port}\n"
            "TAG_BATCH_SIZE = 100\n"
            "TAG_UPDATE_INTERVAL = 1\n",
        )
        program = find_program(self._debian, "carbon-cache")
        carbon = self.run("carbon", PYTHON, program, f"--config={configuration}", "--debug", "start", env=self._python)
        carbon.wait_until(lambda: is_listening(self._carbon_port) and is_listening(self._cache_port), "no port opened")

    def _start_statsd(self):
        configuration = self.file(
            "statsd.js",
            json.dumps(
                {
                    "address": "127.0.0.1",
                    "port": self.port,
                    "mgmt_address": "127.0.0.1",
                    "mgmt_port": self._management_port,
                    "flushInterval": self.FLUSH_S * 1000,
                    "deleteIdleStats": True,
                    **({"calculatedTimerMetrics": self._statistics} if self._statistics else {}),
                    "deleteGauges": False,
                    "backends": ["./backends/graphite"],
                    "graphiteHost": "127.0.0.1",
                    "graphitePort": self._carbon_port,
                    "graphite": {"legacyNamespace": False},
                }
            ),
        )
        program = self._npm / "node_modules/statsd/stats.js"
        statsd = self.run("statsd", "node", program, configuration)
        statsd.wait_until(lambda: is_udp_bound(self.port) and is_listening(self._management_port), "no port opened")

    def bad_lines(self):
        """How many lines statsd could not read so far."""
        with socket.create_connection(("127.0.0.1", self._management_port), DEADLINE) as connection:
            connection.sendall(b"stats\n")
            answer = b""
            while b"END" not in answer:
                answer += connection.recv(4096) or b"END"
        return int(re.search(rb"messages\.bad_lines_seen: (\d+)", answer).group(1))

    def read(self, target):
        """The series of a target, as a Series."""
        query = urllib.parse.urlencode({"target": target, "format": "json", "from": "-10min", "noCache": 1})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._web_port}/render?{query}", timeout=DEADLINE) as answer:
                return Series(json.load(answer))
        except urllib.error.HTTPError as error:
            body = error.read().decode(errors="replace")
            if "Unable to read header" in body:  # carbon is just creating the file
                return Series([])
            why = re.findall(r"<pre[^>]*>(.*?)</pre>", body, re.DOTALL)
            raise Failure("\n".join([f"graphite-web: {target}: {error}", *why, self.logs()])) from None

    def wait_for(self, target, condition):
        """The Series of a target, once it meets the condition; before that asked for again and again."""
        series = None

        def is_met():
            nonlocal series
            series = self.read(target)
            return condition(series)

        try:
            wait_until(is_met, target)
        except Failure as failure:
            raise Failure(f"{failure}\nGraphite has of {target}:\n{series!r}\n{self.logs()}") from None
        return series


# ---- collectd ----


class Collectd(Stack):
    """Debian's collectd with its statsd plugin: a strict reader of plain StatsD. What it made of it is read from the
    files of its csv plugin and from the values that its unixsock plugin lists."""

    def __init__(self):
        self._debian = debian("collectd-core")
        super().__init__()

    def start(self):
        self.port = free_port(socket.SOCK_DGRAM)
        self.url = f"udp://127.0.0.1:{self.port}"
        self._csv = self.folder("csv")
        self._socket = self.directory / "socket"
        configuration = self.file(
            "collectd.conf",
            'Hostname "here"\n'
            "FQDNLookup false\n"
            f'BaseDir "{self.directory}"\n'
            f'PluginDir "{self._debian}/usr/lib/collectd"\n'
            f'TypesDB "{self._debian}/usr/share/collectd/types.db"\n'
            "Interval 1\n"
            "LoadPlugin logfile\n"
            '<Plugin logfile>\nLogLevel "info"\nFile STDOUT\n</Plugin>\n'
            "LoadPlugin statsd\n"
            f'<Plugin statsd>\nHost "127.0.0.1"\nPort "{self.port}"\n'
            "TimerLower true\nTimerUpper true\nTimerSum true\nTimerCount true\n</Plugin>\n"
            "LoadPlugin csv\n"
            f'<Plugin csv>\nDataDir "{self._csv}"\nStoreRates false\n</Plugin>\n'
            "LoadPlugin unixsock\n"
            f'<Plugin unixsock>\nSocketFile "{self._socket}"\nSocketPerms "0600"\n</Plugin>\n',
        )
        program = find_program(self._debian, "collectd")
        self._server = self.run("collectd", program, "-f", "-C", configuration, env=libraries(self._debian))
        self._server.wait_until(lambda: is_udp_bound(self.port) and self._socket.exists(), "no port opened")

    def listed(self):
        """The names that it has values of, such as `derive-a.b`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(DEADLINE)
            connection.connect(str(self._socket))
            connection.sendall(b"LISTVAL\n")
            with connection.makefile() as answer:
                count = int(answer.readline().split()[0])
                return [answer.readline().split("/statsd/")[1].rstrip("\n") for _ in range(count)]

    def values(self, name):
        """What was written of `derive-a.b`, `latency-a.b-upper` …, oldest first; empty seconds (NaN) left out."""
        rows = []
        # One file a day.
        for path in sorted(self._csv.glob(f"here/statsd/{glob.escape(name)}-20*")):
            rows += path.read_text().split("\n")[1:-1]
        found = [float(row.partition(",")[2]) for row in rows]
        return [value for value in found if value == value]

    def refused(self):
        """The lines that it could not read."""
        return re.findall(r'Unable to parse line: "(.*)"', self._server.log.read_text(errors="replace"))


# ---- netdata ----


class Netdata(Stack):
    """Debian's netdata as a StatsD server, over UDP and TCP, read through its HTTP API."""

    # Gauges are kept as integers of this many parts.
    DETAIL = 1000
    PLUGINS_OFF = [
        "timex", "tc", "idlejitter", "cgroups", "checks", "proc", "diskspace", "slabinfo", "python.d", "ebpf", "node.d", "nfacct",
        "charts.d", "go.d", "apps", "fping", "ioping", "perf", "freeipmi", "loopsleepms", "netdata monitoring",
        "netdata monitoring extended", "enable running new plugins",
    ]  # fmt: skip

    def __init__(self):
        self._debian = debian("netdata-core", "netdata-web")
        super().__init__()

    def start(self):
        self._web_port = free_port()
        self.port = self._free_port_of_both()
        self.url = f"udp://127.0.0.1:{self.port}"
        self.tcp_url = f"tcp://127.0.0.1:{self.port}"
        folders = {name: self.folder(name) for name in ("log", "cache", "lib", "lib/lock", "lib/registry")}
        off = "".join(f"  {name} = no\n" for name in self.PLUGINS_OFF)
        configuration = self.file(
            "netdata.conf",
            f"[directories]\n  config = {self.directory}\n  home = {self.directory}\n"
            f"  stock config = {self._debian}/usr/lib/netdata/conf.d\n"
            f"  plugins = {self._debian}/usr/lib/netdata/plugins.d\n"
            f"  web = {self._debian}/usr/share/netdata/web\n"
            f"  log = {folders['log']}\n  cache = {folders['cache']}\n  lib = {folders['lib']}\n"
            f"  lock = {folders['lib/lock']}\n  registry = {folders['lib/registry']}\n"
            "[db]\n  mode = ram\n"
            f"[web]\n  bind to = 127.0.0.1:{self._web_port}\n  mode = static-threaded\n"
            "[ml]\n  enabled = no\n[health]\n  enabled = no\n"
            f"[plugins]\n  statsd = yes\n{off}"
            "[statsd]\n  enabled = yes\n"
            f"  bind to = udp:127.0.0.1:{self.port} tcp:127.0.0.1:{self.port}\n"
            f"  decimal detail = {self.DETAIL}\n",
        )
        program = find_program(self._debian, "netdata")
        self._server = self.run("netdata", program, "-D", "-c", configuration, env=libraries(self._debian))
        self._server.wait_until(lambda: is_listening(self._web_port) and is_udp_bound(self.port), "no port opened")

    @staticmethod
    def _free_port_of_both():
        for _ in range(100):
            port = free_port()
            if not is_udp_bound(port):
                return port
        skip("no port is free for UDP and TCP")

    def _get(self, path, **query):
        url = f"http://127.0.0.1:{self._web_port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            return answer.read().decode()

    def collected(self, chart):
        """The last values of a chart such as `a.b_counter`, by dimension, as they were collected; {} where there is none."""
        text = self._get("allmetrics", format="prometheus", source="as-collected", names="no", help="no")
        rows = re.findall(r'^\w+\{chart="statsd_([^"]*)",[^}]*dimension="([^"]*)"\} (\S+)', text, re.MULTILINE)
        return {dimension: float(value) for name, dimension, value in rows if name == chart}

    def peaks(self, chart):
        """The highest value of each dimension so far; {} where there is none."""
        try:
            answer = json.loads(self._get("data", chart=f"statsd_{chart}", format="json", after=-600, points=0))
        except urllib.error.HTTPError:
            return {}
        names, rows = answer["labels"][1:], answer["data"]
        columns = [[row[i + 1] for row in rows if row[i + 1] is not None] for i in range(len(names))]
        return {name: max(column) for name, column in zip(names, columns) if column}

    def log(self):
        logs = [self._server.log, *sorted((self.directory / "log").glob("*.log"))]
        return "\n".join(path.read_text(errors="replace") for path in logs)


# ---- statsd-parser ----


class StatsdParser(Stack):
    """npm's statsd-parser behind a UDP port: says of each line what it is."""

    PROGRAM = """
const parser = require(process.argv[2]), socket = require("dgram").createSocket("udp4");
socket.on("message", (data) => {
    for (const line of data.toString().split("\\n"))
        if (line) console.log(JSON.stringify({line: line, stat: parser.matchStatsd(line)}));
});
socket.bind(0, "127.0.0.1", () => console.log(JSON.stringify({port: socket.address().port})));
"""

    def __init__(self):
        self._npm = npm("statsd-parser@0.0.4")
        super().__init__()

    def start(self):
        program = self.file("parser.js", self.PROGRAM)
        self._server = self.run("statsd-parser", "node", program, self._npm / "node_modules/statsd-parser")
        self.port = self._server.wait_until(lambda: self._rows(), "no port opened")[0]["port"]
        self.url = f"udp://127.0.0.1:{self.port}"

    def _rows(self):
        return [json.loads(row) for row in self._server.log.read_text().split("\n")[:-1]]

    def read(self, count):
        """What it says of the lines so far, once there are so many: `line`, and `stat`, None where it could not read it."""
        return self._server.wait_until(lambda: len(self._rows()) > count and self._rows(), f"{count} lines")[1:]
