"""The status page in a headless Chromium. STATSIDECAR_SCREENSHOTS=FOLDER keeps pictures of it: light, dark, narrow."""

import atexit
import functools
import os
import re

from admin import PIPE, AdminAgent
from browser import Browser
from harness import UdpReceiver, command, contains, equal, main, test, true, write_pipe

RULES = """
rules:
  - {match: "a.**", name: counted, metrics: [{counter: "n.{event}"}]}
  - {match: "quiet.**", drop: true}
"""


@functools.cache
def the_browser():
    """One for all tests; it ends with them."""
    browser = Browser().__enter__()
    atexit.register(browser.__exit__)
    return browser


class Page:
    """An agent, a browser that shows its page, and a receiver, in a `with`."""

    def __init__(self, config=RULES, title="All is well; nothing has come in yet"):
        self.config, self.title = config, title

    def __enter__(self):
        self.receiver = UdpReceiver().__enter__()
        outputs = "" if "outputs:" in self.config else f"outputs: [{{url: '{self.receiver.url}', name: main}}]\n"
        self.agent = AdminAgent(PIPE + outputs + self.config).__enter__()
        try:
            self.browser = the_browser()
        except BaseException:
            self.agent.__exit__(None, None, None)
            self.receiver.__exit__()
            raise
        self.browser.look(1280, 900)
        self.browser.open(f"http://127.0.0.1:{self.agent.port}/")
        self.wait("#verdict-title", self.title)
        return self

    def __exit__(self, kind, value, trace):
        self.browser.open("about:blank")
        log = list(self.browser.log)
        self.browser.log.clear()
        self.agent.__exit__(kind, value, trace)
        self.receiver.__exit__()
        if kind is None:
            equal([text for text in log if "favicon" not in text], [], "the page's console")

    def write(self, *lines):
        write_pipe(self.agent.directory / "pipe", *lines)

    def wait(self, selector, text):
        self.browser.wait_for(
            f"(document.querySelector({selector!r}) || {{innerText: ''}}).innerText.includes({text!r})", f"`{text}` in {selector}"
        )

    def shoot(self, name, width):
        folder = os.environ.get("STATSIDECAR_SCREENSHOTS")
        if folder:
            self.browser.screenshot(f"{folder}/{name}.png", width)


@test("numbers rise when events are sent; an unmapped event and a rejected line appear")
def _():
    with Page() as page:
        equal(page.browser.text("#note-received"), "0 in all")
        page.wait("#events-none", "No event has come in yet.")
        page.wait("#rejected-none", "None.")
        page.write(*["a.b x=1"] * 5, "quiet.c", "nobody.knows", '{"event":"a.b",}')
        page.wait("#note-received", "8 in all")
        page.wait("#note-sent", "5 in all")
        page.wait("#note-unmapped", "1 in all")
        page.wait("#verdict-list", "1 line that came in the last 20 s is no event.")
        page.wait("#outcome-keys", "mapped 5")
        page.wait("#outcome-keys", "malformed 1")
        page.wait("#events", "nobody.knows")
        page.wait("#events", "n.a.b")
        page.wait("#rejected", '{"event":"a.b",}')
        contains(page.browser.text("#rejected"), "a key in double quotes is missing, byte 16")
        page.write(*["a.b x=2"] * 10)
        page.wait("#note-received", "18 in all")
        page.wait("#inputs", "18")
        page.wait("#outputs", "15")
        true(page.browser.evaluate("document.querySelector('#tile-received .curve').getAttribute('d').length") > 500, "no chart")
        page.browser.wait_for("/^(<?\\d)/.test(document.querySelector('#rate-received').textContent)", "a rate")


@test("the charts show what happened before the page was opened")
def _():
    with Page() as page:
        page.write(*["a.b"] * 50)
        page.wait("#note-received", "50 in all")
        page.browser.call("Page.reload")
        page.wait("#note-received", "50 in all")
        peak = "Math.min(...document.querySelector('#tile-received .curve').getAttribute('d').slice(1).split('L').map(p => +p.split(' ')[1]))"
        page.browser.wait_for(f"{peak} < 50", "a peak in the chart")


@test("search and filters")
def _():
    with Page() as page:
        page.write("a.first", "a.second", "nobody.knows")
        page.wait("#events", "nobody.knows")
        page.wait("#events", "a.second")
        page.browser.type("#search", "SECOND")
        page.browser.wait_for("document.querySelectorAll('#events tr.event').length === 1", "one row")
        contains(page.browser.text("#events"), "a.second")
        page.browser.evaluate("document.querySelector('#search').value = ''; drawIdentifiers()")
        equal(page.browser.text("[data-pick=unmapped]").split(), ["unmapped", "1"])
        equal(page.browser.text("[data-pick=unknown]").split()[-1], "3", "none is in the catalogue")
        page.browser.click("[data-pick=unmapped]")
        equal(page.browser.text("#events td.name"), "nobody.knows")
        page.browser.click("[data-pick=all]")
        page.browser.click("[data-sort=event] button")
        names = page.browser.evaluate("[...document.querySelectorAll('#events td.name')].map(cell => cell.textContent)")
        equal(names, ["a.first", "a.second", "nobody.knows"])


@test("the explain box shows what the command shows, and sends nothing")
def _():
    line = 'a.b note="größer & <b>" x=1'
    with Page() as page:
        page.browser.type("#explain-line", line)
        page.browser.click("#explain-go")
        page.wait("#explain-result", "outcome")
        got = page.browser.evaluate("document.querySelector('#explain-result').textContent")
        equal(got, command("explain", "-c", page.agent.config, line).stdout)
        equal(page.agent.page("/api/status")["received"], 0)


@test("a row opens: a recent line, which the box explains")
def _():
    with Page() as page:
        page.write("a.b x=<u>1</u>")
        page.wait("#events", "a.b")
        page.browser.click("#events tr.event")
        page.wait("#events tr.more pre", "a.b x=<u>1</u>")
        page.browser.click("#events tr.more button")
        page.wait("#explain-result", "mapped: 1 metric")


MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@test("markup in names and values stays text")
def _():
    with Page('prefix: ""\n' + RULES + "tags: {html: '<b>bold</b>'}\n") as page:
        elements = page.browser.evaluate("document.querySelectorAll('*').length")
        page.write("a.b text=" + MARKUP.replace('"', "'").replace(" ", "&nbsp;"), "{" + MARKUP, "<svg/onload=alert(1)> x=1")
        page.wait("#rejected", "<script>document.title='owned'</script>")
        page.wait("#rejected", "<svg/onload=alert(1)>")
        page.wait("#events", "a.b")
        page.browser.click("#events tr.event")
        page.browser.type("#explain-line", "a.b v=" + MARKUP)
        page.browser.click("#explain-go")
        page.wait("#explain-result", "<script>document.title='owned'</script>")
        for name in ("img", "b.bold", "#events script", "#rejected script", "#rejected svg", "#explain-result *"):
            equal(page.browser.evaluate(f"document.querySelectorAll({name!r}).length"), 0, name)
        true(page.browser.evaluate("document.title").endswith("statsidecar"), "a script of an event was run")
        true(page.browser.evaluate("document.querySelectorAll('*').length") > elements, "nothing was added")


@test("its policy lets nothing run but its own script, and nothing leave")
def _():
    with Page() as page:
        policy = page.agent.ask("/").headers["Content-Security-Policy"]
        contains(policy, "default-src 'none'")
        true("unsafe" not in policy, policy)
        one, other = (re.search(r"nonce-(\w{32})", page.agent.ask("/").headers["Content-Security-Policy"]).group(1) for _ in "12")
        true(one != other, "the nonce is always the same")
        body = page.agent.ask("/").body
        equal(re.findall(r"(?:src|href)=\"(?!data:|/)", body), [], "outside assets")
        blocked = page.browser.evaluate(
            "fetch('http://127.0.0.2:1/').then(() => 'let through', error => error.name)"
        )
        equal(blocked, "TypeError")
        true(any("Content Security Policy" in text for text in page.browser.log), f"{page.browser.log}")
        page.browser.log.clear()


@test("it says when something is wrong, and when the agent is gone")
def _():
    with Page() as page:
        page.agent.configure(page.agent.config.read_text() + "unheard_of: 1\n")
        page.agent.send_signal(1)
        page.wait("#verdict", "The last reload was refused")
        page.wait("#verdict-faults", "unheard_of")
        page.browser.call("Page.bringToFront")
        page.agent.stop()
        page.wait("#verdict-title", "The agent does not answer")
        page.browser.log.clear()


@test("what is lost stands in the verdict, and with the output that loses it")
def _():
    with Page("outputs: ['unix://{dir}/absent']\n" + RULES, title="Something is wrong") as page:
        page.wait("#verdict-list", "is away")
        page.write(*["a.b x=1"] * 7)
        page.wait("#verdict-list", "7 lost in the last 20 s.")
        page.wait("#note-lost", "7 metrics")
        page.wait("#outputs td.loss", "7")


@test("light, dark, narrow: nothing is wider than the window")
def _():
    with Page("include: [tasker]\n" + RULES) as page:
        page.write(*["step.completed step_name=fetch execution_duration=1.25"] * 30, "task.failed task_name=nightly", "a.b")
        page.write("a." + "very_long_segment." * 10 + "end", "x" * 500, '{"event":"step.completed","note":"' + "y" * 600 + '",}')
        page.wait("#events", "task.failed")
        page.wait("#rejected", "yyyy")
        page.browser.type("#explain-line", "step.complete step_name=fetch execution_duration=1.25")
        page.browser.click("#explain-go")
        page.wait("#explain-result", "legacy name")
        grounds = []
        for name, width, dark in (("light", 1280, False), ("dark", 1280, True), ("narrow", 320, False), ("narrow-dark", 390, True)):
            page.browser.look(width, 800, dark=dark)
            wide = page.browser.evaluate("document.documentElement.scrollWidth")
            true(wide <= width, f"{name}: {wide} pixels wide in a window of {width}")
            grounds.append(page.browser.evaluate("getComputedStyle(document.body).backgroundColor"))
            lamps = page.browser.evaluate(
                "[...document.querySelectorAll('.end')].map(end => end.lastChild.offsetTop - end.firstChild.offsetTop)"
            )
            true(all(-20 < below <= 0 for below in lamps), f"{name}: lamps beside their names, and not above: {lamps}")
            page.shoot(name, width)
        true(grounds[0] != grounds[1], f"dark looks like light: {grounds}")


main()
