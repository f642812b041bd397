"""The migration guides (docs/migration-*.md): everything that is migrated from has its counterpart, and every line that is shown
becomes what is shown."""

import pathlib
import re

import yaml

from harness import SOURCE, command, equal, main, table, temporary_directory, true

# Each guide: what its left sides begin with, what they must have, and the input that stands above its right sides here.
GUIDES = [
    ("migration-statsd-exporter", "statsd_exporter", "mappings", "{url: 'stdin:', format: statsd}"),
    ("migration-vector", "vector", "transforms", "{url: 'stdin:', format: json, event: request}"),
]
HEAD = "admin: off\ntelemetry: off\noutputs: [{url: 'stdout:'}]\ninputs: [%s]\n"


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def document(guide):
    return (SOURCE / "docs" / f"{guide}.md").read_text()


def sections():
    """Those that have rules: their title, both sides, the lines with what they become."""
    for guide, left, key, given in GUIDES:
        for section in document(guide).split("\n## ")[1:]:
            snippets = blocks(section, "yaml")
            if not snippets:
                continue
            (there,) = [snippet for snippet in snippets if snippet.startswith(f"# {left}\n")]
            (here,) = [snippet for snippet in snippets if snippet.startswith("# statsidecar\n")]
            (lines,) = blocks(section, "text")
            rows = [line.split("  ->  ") for line in lines.splitlines()]
            yield f"{guide}: {section.splitlines()[0]}", yaml.safe_load(there)[key], HEAD % given + here, rows


@table(list(sections()))
def _(there, here, lines):
    true(there, "the left side says nothing")
    true(lines, "no lines show it")
    with temporary_directory() as folder:
        config = pathlib.Path(folder) / "rules.yaml"
        config.write_text(here)
        for line, shown in lines:
            want = [] if shown == "nothing" else shown.split("  and  ")
            done = command("run", "-c", config, input=line + "\n")
            equal(done.returncode, 0, done.stderr)
            equal(done.stdout.splitlines(), want, line)
            # The line alone tells the same.
            explained = command("explain", "-c", config, line)
            equal(explained.returncode, 0, explained.stderr)
            true(all(f"\n  {metric}\n" in explained.stdout for metric in want), explained.stdout)


@table([(f"{guide[0]}: the head that stands above every right side is a valid configuration", guide[0]) for guide in GUIDES])
def _(guide):
    head = blocks(document(guide).split("\n## ")[0], "yaml")
    equal(len(head), 1, "yaml blocks before the first section")
    with temporary_directory() as folder:
        config = pathlib.Path(folder) / "head.yaml"
        config.write_text(head[0] + "rules: [{match: '**', metrics: [{relay: '{event}'}]}]\n")
        done = command("check", "-c", config)
        equal(done.returncode, 0, done.stderr)


main()
