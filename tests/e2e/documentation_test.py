"""What the documentation shows is true: every fenced block of README.md, CONTRIBUTING.md, docs/, examples/ and clients/ is
run, in the order of its page, on a machine of the page's own (pages.py), and what a page shows as output is what came.

What a block is, is said by its language:

    sh                run; must end with success. A command that goes on (`statsidecar run`) gets a terminal of its own
    (none), statsd    output: of the command above it, or of the agent's terminal; VARIES says what may differ
    yaml              a configuration: `statsidecar check`, and its tests where it has rules
    json, logfmt      events: `statsidecar explain` takes each line for one, by the page's configuration file, or the pack tasker
    python, ruby, c   run, or compiled; PRELUDES has what such a fragment takes for granted; a comment that is a value is one
    crontab           its commands are run
    any               whose first line is a file's name (`# /etc/statsidecar/statsidecar.yaml`): that file, for what comes after

What cannot be run here stands in LISTED, with its reason and what is checked instead. A block that is neither runnable nor
listed fails, and so does a row of LISTED that no block needs any more.
"""

import contextlib
import fnmatch
import json
import re
import shlex
import subprocess
import xml.dom.minidom

from clients_support import compiled, ruby, ruby_with_activesupport
from harness import SOURCE, WRAPPER, Failure, equal, main, need, skip, table, temporary_directory, test, true, wait_until
from pages import FOREGROUND, Machine, Page
from real_servers import debian

try:
    import yaml
except ImportError:
    yaml = None

PATTERNS = ["*.md", "docs/**/*.md", "examples/**/*.md", "clients/**/*.md", "packaging/**/*.md"]
PAGES = [Page(path) for pattern in PATTERNS for path in sorted(SOURCE.glob(pattern))]
AGENT = "statsidecar run -c tasker --output stdout:"

# ---- what is not run: page, a part of the block, the reason, and what is checked instead ----

LISTED = [
    ("docs/packages.md", "apt-get install gcc", "bare_test.py runs it on a bare Debian", "shell"),
    ("docs/packages.md", "systemctl enable", "needs systemd as init; install_test.py runs sysusers and tmpfiles", "shell"),
    ("README.md", "./bootstrap run ", "it is what `./bootstrap check` itself runs", "shell"),
    ("README.md", "make check && sudo make install", "builds the whole, and would run this test", "shell"),
    ("CONTRIBUTING.md", 'make -j"$(nproc)"', "builds the whole", "shell"),
    ("CONTRIBUTING.md", "make analyze ", "minutes of analysis", "shell"),
    ("CONTRIBUTING.md", "make fuzz ", "minutes of fuzzing", "shell"),
    ("CONTRIBUTING.md", "CK_FORK=no gdb", "a debugger, and tests that are run anyway", "shell"),
    ("docs/dashboards.md", "api.datadoghq.com", "needs Datadog", "shell"),
    ("docs/getting-started/java.md", "LogstashTcpSocketAppender", "its jar is not in Debian; the line below it is tried", "xml"),
    ("docs/getting-started/graphite.md", "legacyNamespace", "another program's; real_dashboards_test.py runs it so", "nothing"),
    ("docs/architecture.md", "agent/input/ ", "a picture", "nothing"),
    ("docs/architecture.md", "YAML files ──", "a picture", "nothing"),
    ("docs/architecture.md", "settings ─▶", "a picture", "nothing"),
    ("docs/watching.md", "livenessProbe", "a piece of a pod's manifest: docs/kubernetes.md has the whole", "yaml"),
    ("docs/watching.md", "rate(statsidecar_metrics_total", "PromQL: dashboards_test.py knows its metrics", "nothing"),
    ("packaging/helm/statsidecar/README.md", "statsidecar", "pieces of a chart: helm_test.py renders such a one", "yaml"),
    ("docs/kubernetes.md", "packaging/docker/build-image", "image_test.py builds the image", "shell"),
    ("docs/kubernetes.md", "apiVersion: ", "walkthrough_test.py renders and validates it", "yaml"),
    ("docs/kubernetes.md", "kubectl kustomize", "walkthrough_test.py renders it; the rest needs a cluster", "shell"),
    ("docs/kubernetes.md", "kubectl logs", "needs a cluster", "shell"),
    ("docs/kubernetes.md", "helm install", "helm_test.py renders the chart; installing it needs a cluster", "shell"),
    ("docs/operating.md", "warning sandbox: system call 59", "sandbox_calls makes forbidden calls", "nothing"),
    ("docs/migration-*.md", "# statsidecar\n", "migration_test.py runs it with the lines below it", "nothing"),
    ("docs/migration-*.md", "  ->  ", "migration_test.py sends each line", "nothing"),
    ("docs/migration-statsd-exporter.md", "# statsd_exporter\n", "another program's", "yaml"),
    ("docs/migration-vector.md", "# vector\n", "another program's", "yaml"),
    ("examples/README.md", 'event "import.table table=$table', "a line of the job", "examples/legacy-job.sh"),
]

# What could change the machine, or would run all tests within a test, is never tried.
DANGEROUS = re.compile(r"\b(apt|apt-get|dnf|dpkg|rpm|systemctl|systemd-\w+|adduser|useradd|make (check|install|dist\w*))\b")

# ---- what pages take for granted ----

# Before the first block: what stands on the reader's machine already. For all pages, and for one.
MACHINE = "mkdir -p /run/statsidecar\n"
NIGHTLY = "mkdir -p /opt/shop && printf '#!/bin/sh\\n' >/opt/shop/nightly.sh && chmod 755 /opt/shop/nightly.sh\n"
SETUP = {
    "docs/getting-started/shell-job.md": NIGHTLY,
    # What `bin/rails runner CODE` does of it: the initializers, then the code.
    "docs/getting-started/rails-tasker.md": """mkdir bin; cat >bin/rails <<'END'
#!/bin/sh
exec ruby -ractive_support -ractive_support/notifications -r./config/initializers/statsidecar -e "$2"
END
chmod 755 bin/rails
""",
    "docs/publishing.md": NIGHTLY
    + "echo order.created >orders.log\n"
    + "printf '#!/bin/sh\\nexec cat\\n' >/usr/local/bin/my-filter && chmod 755 /usr/local/bin/my-filter",
    "docs/explain.md": "echo step.completed step_name=fetch >recorded-events\n"
    "echo 'rules: [{match: step.completed, metrics: [{counter: a}]}]' >old.yaml; cp old.yaml new.yaml",
    "docs/clients.md": "ln -s clients/shell/statsidecar.sh",
    "clients/README.md": "mkdir -p YOUR_APP/lib YOUR_SCRIPTS",
    "examples/c/README.md": "ln -s examples/c/word-count.c",
    "docs/events.md": "echo order.created >events.log",
    "CONTRIBUTING.md": "echo order.created >events.txt",
}

def log4j():
    return debian("liblog4j2-java", "libjackson2-databind-java") / "usr/share/java"


def link_log4j(machine):
    jars = log4j()
    names = ["log4j-api", "log4j-core", "jackson-core", "jackson-databind", "jackson-annotations"]
    machine.run("mkdir lib && ln -s " + " ".join(shlex.quote(f"{jars}/{name}.jar") for name in names) + " lib/")


# What is put on a page's machine besides.
FURNISH = {"docs/getting-started/java.md": link_log4j}

# Programs that a page is about: each function skips its blocks where they cannot be had.
NEEDS = {
    "docs/getting-started/rails-tasker.md": ruby_with_activesupport,
    "docs/getting-started/sidekiq.md": ruby,
    "docs/getting-started/java.md": lambda: (need("java", "javac"), log4j()),
}

# A fragment is run between these.
PRELUDES = {
    ("docs/clients.md", "ruby"): """
require "statsidecar"
begin
  require "active_support"
  require "active_support/notifications"
rescue LoadError
end
class Object
  def load(step) = []
  def bus = Class.new { def self.events = {}; def subscribe(name) = self }.new
end
""",
    ("docs/publishing.md", "c"): "#include <stdio.h>\nstatic int fetch(void) { return 0; }\nint main(void)\n{\n%s\n}\n",
}

# Lines of a page that are run in its stead: where what is shown needs a service of others, or would never end.
INSTEAD = [
    ("docs/publishing.md", "tail -F orders.log", "tail -n 1 orders.log"),
    ("docs/publishing.md", "cc -o job job.c", "true || cc -o job job.c"),  # the block above it is compiled by itself
]

# Commands that end with another status than 0, because the page shows that they do: page, a part of the command, the status.
STATUSES = [
    ("examples/c/README.md", "./word-count ", 1),
]

# What differs from run to run: times, memory, process ids, and where in its file a rule stands.
VARIES = [
    (r"^( +rule +[^:\n]+):[0-9]+", r"\1:LINE"),
    (r"(started_at|ended_at|timestamp)=[0-9.T:Z-]+", r"\1=TIME"),
    (r"((?:sidekiq\.job|job|import)\.[a-z_]*duration[^:\n]*):[0-9.]+\|ms", r"\1:TIME|ms"),
    (r"(job\.max_rss[^:\n]*):[0-9]+\|g", r"\1:BYTES|g"),
]


def listed(block):
    return [row for row in LISTED if fnmatch.fnmatch(block.page.name, row[0]) and row[1] in block.text]


def same(text):
    """What does not vary of an output."""
    for expression, replacement in VARIES:
        text = re.sub(expression, replacement, text, flags=re.MULTILINE)
    return [line.rstrip() for line in text.strip("\n").split("\n")]


# ---- one page, from its first block to its last ----


class Reading:
    """The machine of a page, and how far it has been read."""

    current = None

    def __init__(self, page):
        self.page = page
        self.next = 0
        self.machine = None
        self.printed = ""  # by the last command
        self.config = "tasker"  # what its events are explained by

    @classmethod
    def of(cls, page):
        if cls.current is None or cls.current.page is not page:
            cls.close()
            cls.current = Reading(page)
        return cls.current

    @classmethod
    def close(cls):
        if cls.current is not None and cls.current.machine is not None:
            cls.current.machine.__exit__()
        cls.current = None

    def on(self):
        if self.machine is None:
            NEEDS.get(self.page.name, lambda: None)()
            machine = Machine()
            machine.__enter__()
            self.machine = machine
            machine.run(MACHINE + SETUP.get(self.page.name, ""))
            if self.page.name in FURNISH:
                FURNISH[self.page.name](machine)
        return self.machine

    def read(self, block):
        """Everything up to this block, in order."""
        while self.next <= self.page.blocks.index(block):
            here = self.page.blocks[self.next]
            self.next += 1
            self.try_out(here)

    def try_out(self, block):
        rows = listed(block)
        if rows:
            for row in rows:
                instead(row[3], block)
        elif block.file:
            self.on().write(block.file, block.text)
            if block.language == "yaml":
                self.check(block, block.file)
                self.config = block.file
        elif block.language in KINDS:
            KINDS[block.language](self, block)
        else:
            raise Failure(f"neither runnable nor listed: a block `{block.language}`\n{block.text}")

    # -- commands --

    def need_agent(self, text):
        if re.search(r"/run/statsidecar/events|81[0-9][0-9]\b|statsidecar (publish|exec|tap|health)|/word-count ", text):
            if not self.on().has_agent():
                self.machine.start(AGENT)

    def run(self, block):
        text = block.text
        for page, there, here in INSTEAD:
            if page == block.page.name:
                text = text.replace(there, here)
        script = []
        for line in joined(text):
            if FOREGROUND.search(line):
                self.run_script(block, script)
                self.open_terminal(line)
            else:
                script.append(line)
        self.run_script(block, script)
        self.machine.check()

    def run_script(self, block, lines):
        text = "\n".join(lines)
        lines.clear()
        if re.sub(r"^#.*", "", text, flags=re.MULTILINE).strip():
            dangerous = DANGEROUS.search(text)
            true(not dangerous, f"`{dangerous and dangerous.group()}` is not tried here: the block has to stand in LISTED")
            self.need_agent(text)
            want = [status for page, part, status in STATUSES if page == block.page.name and part in text]
            self.printed = self.on().run(text, *want)

    def open_terminal(self, line):
        if "statsidecar run" in line:
            self.on().stop_terminals()  # what listens to the agent before it ends with it
        else:
            self.need_agent(line)
        self.on().start(line)

    def cron(self, block):
        for line in block.text.splitlines():
            if not line or line.startswith("#") or re.match(r"\w+ *=", line):
                continue
            match = re.match(r"(?:@\w+|(?:[\d*/,-]+ +){5}) *(.*)", line)
            true(match, f"no line of a crontab: {line}")
            self.need_agent(match.group(1))
            self.on().run(match.group(1))

    def output(self, block):
        want = same(block.text)
        if same(self.printed) == want:
            return

        def has_come():
            return any(terminal.take(want, lambda lines: same("\n".join(lines))) for terminal in self.on().terminals)

        with contextlib.suppress(Failure):
            wait_until(has_come, "the output")
            return
        said = [f"of the command above:\n{self.printed}"]
        said += [f"of `{terminal.command}`:\n" + "\n".join(terminal.unseen()) for terminal in self.machine.terminals]
        shown = "\n".join(want)
        raise Failure(f"shown:\n{shown}\n\nis not the output " + "\n".join(said) + self.machine.logs())

    # -- configurations and events --

    def check(self, block, name):
        done = self.on().run(f"statsidecar check -c {shlex.quote(name)} 2>&1")
        true(": ok (" in done, done)
        parts = re.findall(r"^(\w+):", block.text, re.MULTILINE)
        if "tests" in parts and ("rules" in parts or "include" in parts):
            self.machine.run(f"statsidecar test -c {shlex.quote(name)}")

    def configuration(self, block):
        self.on().write("snippet.yaml", block.text)
        self.check(block, "snippet.yaml")

    def events(self, block):
        for line in block.text.splitlines():
            done = self.on().run(f"statsidecar explain -c {shlex.quote(self.config)} --json {shlex.quote(line)}")
            for explained in done.splitlines():
                outcome = json.loads(explained)["outcome"]
                true(outcome not in ("malformed", "unnamed", "oversize"), f"{outcome}: {line}")

    # -- languages --

    def python(self, block):
        self.need_agent("8127")
        self.machine.write("page.py", said(block.text, "assert {0} == {1}, {0}"))
        self.printed = self.machine.run("PYTHONPATH=clients/python /usr/bin/python3 -W error page.py")

    def ruby(self, block):
        self.need_agent("8127")
        words = ruby_with_activesupport() if "forward_notifications" in block.text else ruby()
        self.machine.write("page.rb", PRELUDES.get((block.page.name, "ruby"), "") + said(block.text, "{0} == {1} or raise {0}.inspect"))
        self.printed = self.machine.run(" ".join([*words, "-I", "clients/ruby", "page.rb"]))

    def c(self, block):
        if WRAPPER:
            skip("not under valgrind")
        with temporary_directory() as directory:
            text = block.text
            prelude = PRELUDES.get((block.page.name, "c"))
            if prelude:
                includes = "".join(re.findall(r"^#include.*\n", text, re.MULTILINE))
                text = includes + prelude % re.sub(r"^#include.*\n", "", text, flags=re.MULTILINE)
            source = f"{directory}/page.c"
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            subprocess.run(compiled(source, directory), check=True)


KINDS = {
    "sh": Reading.run,
    "bash": Reading.run,
    "crontab": Reading.cron,
    "": Reading.output,
    "statsd": Reading.output,
    "yaml": Reading.configuration,
    "json": Reading.events,
    "logfmt": Reading.events,
    "python": Reading.python,
    "ruby": Reading.ruby,
    "c": Reading.c,
}


def said(code, check):
    """The code, with a check wherever a comment says what a line gives: `publisher.dropped      # 0`."""
    return re.sub(
        r"^([\w.]+) +# (\d+|\{[^}]*\})(?:;.*)?$", lambda match: check.format(match.group(1), match.group(2)), code, flags=re.MULTILINE
    )


def joined(text):
    """The lines of a script: continued ones in one, blank ones left out."""
    return [line for line in re.sub(r" *\\\n *", " ", text).splitlines() if line.strip()]


def instead(how, block):
    """What is checked of a block that is not run."""
    if how == "shell":
        done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True)
        equal((done.returncode, done.stderr), (0, ""), "bash -n")
    elif how == "yaml":
        if yaml is None:
            skip("no PyYAML")
        true(list(yaml.safe_load_all(block.text)), "an empty document")
    elif how == "xml":
        xml.dom.minidom.parseString(block.text)
    elif how == "json":
        json.loads(block.text)
    elif how != "nothing":
        true(block.text.strip() in (SOURCE / how).read_text(), f"not a part of {how}")


BLOCKS = [block for page in PAGES for block in page.blocks]


@table([(f"{block.where}: {block.language or 'output'} {block.file or ''}".rstrip(), block) for block in BLOCKS])
def _(block):
    Reading.of(block.page).read(block)


@test("nothing stands in LISTED that no page shows")
def _():
    Reading.close()
    needed = [row for block in BLOCKS for row in listed(block)]
    equal([row[:2] for row in LISTED if row not in needed], [])


@test("CHANGELOG.md and SECURITY.md know the version that is built")
def _():
    (version,) = re.findall(r"^AC_INIT\(\[statsidecar\], \[([\d.]+)\]", (SOURCE / "configure.ac").read_text(), re.MULTILINE)
    newest = re.findall(r"^## ([\d.]+)", (SOURCE / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    equal(newest, version, "the first version of CHANGELOG.md, that of configure.ac")
    minor = version.rsplit(".", 1)[0]
    true(f"| {minor} | yes |" in (SOURCE / "SECURITY.md").read_text(), f"SECURITY.md has no {minor}")


@test("every page is reached from README.md")
def _():
    seen, todo = set(), [SOURCE / "README.md"]
    while todo:
        page = todo.pop()
        seen.add(page)
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", page.read_text()):
            there = (page.parent / link).resolve()
            true(there.exists(), f"{page.relative_to(SOURCE)} links to {link}, which is not there")
            if there.is_dir():
                there = there / "README.md"
            if there.suffix == ".md" and there not in seen and there.exists():
                todo.append(there)
    equal([page.name for page in PAGES if page.path not in seen], [])


def anchors(page):
    """What GitHub makes of the headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", h).lower()).replace(" ", "-") for h in headings}


@test("links into pages go to headings that are there")
def _():
    dead = []
    for page in PAGES:
        for link, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", page.path.read_text()):
            there = (page.path.parent / link).resolve() if link else page.path
            if there.suffix == ".md" and anchor not in anchors(there):
                dead.append(f"{page.name}: {link}#{anchor}")
    equal(dead, [])


main()
