"""docs/migration-statsd-exporter.md: every mapping has its counterpart, and every line that is shown becomes
what is shown."""

import pathlib
import re

import yaml

from harness import SOURCE, command, equal, main, table, temporary_directory, test, true

DOCUMENT = SOURCE / "docs/migration-statsd-exporter.md"
HEAD = "admin: off\ntelemetry: off\ninputs: [{url: 'stdin:', format: statsd}]\noutputs: [{url: 'stdout:'}]\n"


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def sections():
    """Those that have rules: their title, the mapping, the rules, the lines with what they become."""
    found = []
    for section in DOCUMENT.read_text().split("\n## ")[1:]:
        title = section.split("\n")[0]
        snippets = blocks(section, "yaml")
        if not snippets:
            continue
        (mapping,) = [snippet for snippet in snippets if snippet.startswith("# statsd_exporter\n")]
        (rules,) = [snippet for snippet in snippets if snippet.startswith("# statsidecar\n")]
        (lines,) = blocks(section, "text")
        found.append((title, mapping, rules, [line.split("  ->  ") for line in lines.splitlines()]))
    return found


@table(sections())
def _(mapping, rules, lines):
    true(yaml.safe_load(mapping)["mappings"], "the left side is no mapping")
    true(lines, "no lines show it")
    with temporary_directory() as folder:
        config = pathlib.Path(folder) / "rules.yaml"
        config.write_text(HEAD + rules)
        for line, want in lines:
            done = command("run", "-c", config, input=line + "\n")
            equal(done.returncode, 0, done.stderr)
            equal(done.stdout, "" if want == "nothing" else want + "\n", line)
            # The line alone tells the same.
            explained = command("explain", "-c", config, line)
            equal(explained.returncode, 0, explained.stderr)
            true(want == "nothing" or f"\n  {want}\n" in explained.stdout, explained.stdout)


@test("the head that stands above every right side is a valid configuration")
def _():
    head = blocks(DOCUMENT.read_text().split("\n## ")[0], "yaml")
    equal(len(head), 1, "yaml blocks before the first section")
    with temporary_directory() as folder:
        config = pathlib.Path(folder) / "head.yaml"
        config.write_text(head[0] + "rules: [{match: '**', metrics: [{relay: '{event}'}]}]\n")
        done = command("check", "-c", config)
        equal(done.returncode, 0, done.stderr)


main()
