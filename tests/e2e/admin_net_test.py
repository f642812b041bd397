"""Who is shown events where the admin address is one that others reach: in a network namespace of the test's own, where an address is
not loopback's and yet nothing leaves the machine."""

import http.client

import namespace
from admin import PIPE, AdminAgent
from harness import DEADLINE, equal, table

AWAY = "192.0.2.1"
HERE = "127.0.0.1"
PUBLIC = ("/healthz", "/readyz", "/metrics")
OF_EVENTS = ("/", "/api/status", "/api/events", "/api/rejected", "/api/explain?line=a", "/api/tap")


def status(agent, source, host, path, **headers):
    connection = http.client.HTTPConnection(host, agent.port, timeout=DEADLINE, source_address=(source, 0))
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@table(
    [
        ("api: auto, from another host", "auto", AWAY, AWAY, 403),
        ("api: auto, over loopback: `tap` in the pod, kubectl port-forward", "auto", HERE, HERE, 200),
        ("api: auto, a neighbour who reaches 127.0.0.1 (route_localnet)", "auto", AWAY, HERE, 403),
        ("api: on, from another host", "on", AWAY, AWAY, 200),
        ("api: off, from another host", "off", AWAY, AWAY, 403),
        ("api: off, over loopback", "off", HERE, HERE, 403),
    ]
)
def _(api, source, host, of_events):
    admin = f"admin: {{listen: '0.0.0.0:0', api: '{api}'}}\ntelemetry: off\n"
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']", admin) as agent:
        for path in PUBLIC:
            equal(status(agent, source, host, path), 200, path)
            equal(status(agent, source, host, path, Host="pod-7.cluster"), 200, path + " by a name")
        for path in OF_EVENTS:
            equal(status(agent, source, host, path), of_events, path)


@table([("over loopback a foreign Host is refused there, too", "rebound.example", 403), ("… and ours is answered", "localhost:8128", 200)])
def _(host, want):
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']", "admin: 0.0.0.0:0\ntelemetry: off\n") as agent:
        equal(status(agent, HERE, HERE, "/api/events", Host=host), want)


namespace.main([["ip", "address", "add", f"{AWAY}/32", "dev", "lo"]])
