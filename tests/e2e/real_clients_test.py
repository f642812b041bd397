"""Real StatsD clients (npm's hot-shots, Debian's python3-statsd and ruby-statsd) send to inputs with `format:
statsd`; what they send is renamed and tagged by rules, relayed, and has the same values at a real receiver
(npm's statsd with Graphite), as well as by the tests' grammar of DogStatsD."""

import atexit
import functools
import os
import subprocess

import dogstatsd_grammar
from clients_support import ruby
from harness import Agent, Skip, UdpReceiver, equal, main, skip, table, test, total, true
from real_servers import PYTHON, StatsdGraphite, debian, npm

RULES = """
tags: {env: test}
rules:
  # A metric of each kind, named as applications name theirs: the client, what it is about, who.
  - {match: "*.signup.*.*", metrics: [{relay: signups, tags: {client: "{1}", provider: "{2}", outcome: "{3}"}}]}
  - {match: "*.took.*", metrics: [{relay: took, tags: {client: "{1}", step: "{2}"}}]}
  - {match: "*.level", metrics: [{relay: level, tags: {client: "{1}"}}]}
  - {match: "*.users", metrics: [{relay: users, tags: {client: "{1}"}}]}
  - {match: "*.sampled", name: sampled, metrics: [{relay: sampled, tags: {client: "{1}"}}]}
"""
SAMPLED = 200

HOT_SHOTS = """
const [host, port, protocol, prefix] = process.argv.slice(1);
const StatsD = require("hot-shots");
const client = new StatsD({host: host, port: Number(port), protocol: protocol, prefix: prefix + ".", datadog: false,
    errorHandler: (error) => { console.error(error); process.exit(1); }});
client.increment("signup.mail.success", 3);
client.increment("signup.mail.success", 4);
client.timing("took.fetch", 120);
client.timing("took.fetch", 80.5);
client.gauge("level", 12.5);
client.gauge("level", 7.25);
client.set("users", "ann");
client.set("users", "bob");
client.set("users", "ann");
for (let i = 0; i < SAMPLED; i++) client.increment("sampled", 1, 0.5);
client.close((error) => process.exit(error ? 1 : 0));
""".replace(
    "SAMPLED", str(SAMPLED)
)

PYTHON_STATSD = f"""
import sys
import statsd
host, port, protocol, prefix = sys.argv[1:]
if protocol == "udp":
    client = statsd.StatsClient(host, int(port), prefix=prefix)
elif protocol == "tcp":
    client = statsd.TCPStatsClient(host, int(port), prefix=prefix)
else:
    client = statsd.UnixSocketStatsClient(host, prefix=prefix)
client.incr("signup.mail.success", 3)
client.incr("signup.mail.success", 4)
with client.pipeline() as together:
    together.timing("took.fetch", 120)
    together.timing("took.fetch", 80.5)
client.gauge("level", 12.5)
client.gauge("level", -5.25, delta=True)
for user in ("ann", "bob", "ann"):
    client.set("users", user)
for _ in range({SAMPLED}):
    client.incr("sampled", 1, rate=0.5)
"""

RUBY_STATSD = f"""
require "statsd"
host, port, protocol, prefix = ARGV
client = Statsd.new(host, port.to_i, protocol.to_sym)
client.namespace = prefix
client.count("signup.mail.success", 3)
client.count("signup.mail.success", 4)
client.batch do |together|
  together.timing("took.fetch", 120)
  together.timing("took.fetch", 80.5)
end
client.gauge("level", 12.5)
client.gauge("level", 7.25)
%w[ann bob ann].each {{ |user| client.set("users", user) }}
{SAMPLED}.times {{ client.increment("sampled", 0.5) }}
"""


def run_hot_shots(*arguments):
    modules = npm("hot-shots@17.1.1") / "node_modules"
    run(["node", "-e", HOT_SHOTS, "--", *arguments], {"NODE_PATH": str(modules)})


def run_python(*arguments):
    modules = debian("python3-statsd") / "usr/lib/python3/dist-packages"
    run([PYTHON, "-c", PYTHON_STATSD, *arguments], {"PYTHONPATH": str(modules), "PYTHONDONTWRITEBYTECODE": "1"})


def run_ruby(*arguments):
    language = ruby()
    modules = debian("ruby-statsd") / "usr/lib/ruby/vendor_ruby"
    run([*language, "-e", RUBY_STATSD, "--", *arguments], {"RUBYLIB": str(modules)})


def run(arguments, env):
    done = subprocess.run(
        list(map(str, arguments)), env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=60
    )
    equal(done.returncode, 0, done.stderr)


@functools.cache
def started():
    try:
        server = StatsdGraphite().__enter__()
    except Skip as why:
        return why
    atexit.register(server.stop)
    return server


def real():
    server = started()
    if isinstance(server, Skip):
        skip(server)
    return server


@table(
    [
        ("hot-shots over UDP", "hotshotsudp", run_hot_shots, "udp"),
        ("hot-shots over TCP", "hotshotstcp", run_hot_shots, "tcp"),
        ("python3-statsd over UDP", "pythonudp", run_python, "udp"),
        ("python3-statsd over TCP", "pythontcp", run_python, "tcp"),
        ("python3-statsd over a Unix stream", "pythonunix", run_python, "unixstream"),
        ("ruby-statsd over UDP", "rubyudp", run_ruby, "udp"),
    ]
)
def _(client, run_client, protocol):
    inputs = {"unixstream": "unixstream://{dir}/in"}.get(protocol, f"{protocol}://127.0.0.1:0")
    with UdpReceiver() as judge, Agent(
        f"inputs: [{{url: '{inputs}', format: statsd}}]\n"
        f"outputs: [{{url: '{real().url}', dialect: graphite, prefix: 'relayed.'}}, '{judge.url}']" + RULES
    ) as agent:
        if protocol == "unixstream":
            run_client(agent.directory / "in", "0", protocol, client)
        else:
            run_client("127.0.0.1", agent.ports(protocol)[0], protocol, client)
        # How many of the sampled ones were sent only the client knows: the receiver has to have as many as the agent.
        check_graphite(client, agent)
        counters = agent.check_balance()
        equal(agent.outcomes(), {"mapped": total(counters, "statsidecar_events_received_total")})
        sampled = total(counters, "statsidecar_rule_matches_total", 'rule="sampled"')
        check_lines(client, judge, sampled)


def series(client, kind, name, leaf, condition):
    target = ".".join(filter(None, ["stats", kind, "relayed", name, leaf]))
    return real().wait_for(
        f"seriesByTag('name={target}','client={client}')", lambda found: len(found) and condition(found)
    )


def check_graphite(client, agent):
    signups = series(client, "counters", "signups", "count", lambda found: found.total() >= 7)
    equal(signups.total(), 7)
    tags = {key: value for key, value in signups.tags().items() if key != "name"}
    equal(tags, {"client": client, "provider": "mail", "outcome": "success", "env": "test"})
    least = series(client, "timers", "took", "lower", lambda found: found.points())
    most = series(client, "timers", "took", "upper", lambda found: found.points())
    equal((min(least.points()), max(most.points())), (80.5, 120))
    equal(most.tags()["step"], "fetch")
    series(client, "gauges", "level", None, lambda found: found.points() and found.points()[-1] == 7.25)
    users = series(client, "sets", "users", "count", lambda found: found.total() >= 2)
    true(max(users.points()) <= 2, f"two users: {users!r}")

    def all_sampled(found):
        lines = total(agent.counters(), "statsidecar_rule_matches_total", 'rule="sampled"')
        return found.total() == 2 * lines

    sampled = series(client, "counters", "sampled", "count", all_sampled)
    true(0 < sampled.total() < 2 * SAMPLED, f"nothing was sampled: {sampled!r}")


def check_lines(client, judge, sampled):
    """The other output has the same, line by line."""
    judge.read_until(lambda: len(judge.all_lines()) >= 9 + sampled, "the lines")
    lines = [dogstatsd_grammar.read(line.replace(":+", ":", 1).encode()) for line in judge.all_lines()]
    values = {}
    for line in lines:
        equal((line.tags["client"], line.tags["env"]), (client, "test"))
        values.setdefault((line.name, line.type, line.rate), []).append(line.values[0])
    equal(values.pop(("sampled", "c", "0.5")), ["1"] * sampled)
    level = values.pop(("level", "g", None))
    true(level in (["12.5", "7.25"], ["12.5", "-5.25"]), f"gauges {level}")
    equal(
        values,
        {
            ("signups", "c", None): ["3", "4"],
            ("took", "ms", None): ["120", "80.5"],
            ("users", "s", None): ["ann", "bob", "ann"],
        },
    )


@test("a client in Datadog's mode: its tags go on, what it says of its origin does not")
def _():
    modules = npm("hot-shots@17.1.1") / "node_modules"
    script = """
const StatsD = require("hot-shots");
const client = new StatsD({host: "127.0.0.1", port: Number(process.argv[1]), prefix: "a.", datadog: true,
    includeDatadogTelemetry: false, containerID: "abc", cardinality: "high", globalTags: {team: "shop"}});
client.distribution("size", 5, {user: "ann"});
client.histogram("size", 6);
client.close(() => process.exit(0));
"""
    rules = "rules: [{match: 'a.*', metrics: [{relay: '{1}'}]}]\n"
    with UdpReceiver() as judge, Agent(
        f"inputs: [{{url: 'udp://127.0.0.1:0', format: statsd}}]\noutputs: ['{judge.url}']\n" + rules
    ) as agent:
        env = {"NODE_PATH": str(modules), "DD_EXTERNAL_ENV": "it-false,cn-web,pu-1"}
        run(["node", "-e", script, "--", agent.ports()[0]], env)
        judge.read_until(lambda: len(judge.all_lines()) >= 2, "two lines")
        found = {line.type: line for line in (dogstatsd_grammar.read(text.encode()) for text in judge.all_lines())}
        equal(found["d"].values, ["5"])
        equal(found["d"].tags, {"user": "ann", "team": "shop"})
        equal((found["h"].values, found["h"].tags), (["6"], {"team": "shop"}))
        equal({(line.container, line.external, line.cardinality) for line in found.values()}, {(None, None, None)})


main()
