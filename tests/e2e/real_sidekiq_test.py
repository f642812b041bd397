"""Debian's Sidekiq itself: the lines that its own job logger writes as JSON are what conf/examples/sidekiq.yaml takes them
for, and its own chain of middlewares runs the one of docs/getting-started/sidekiq.md.
"""

import json
import pathlib
import re
import subprocess

from clients_support import CLIENTS, Catcher, ruby
from harness import SOURCE, command, environment, equal, main, skip, temporary_directory, test, true
from real_servers import debian

# No Redis is needed for either.
LOG = """
require "sidekiq"
require "sidekiq/job_logger"
logger = Sidekiq::Logger.new($stdout)
logger.formatter = Sidekiq::Logger::Formatters::JSON.new
job = {"class" => "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper", "wrapped" => "HardJob", "jid" => "b4a577ed"}
jobs = Sidekiq::JobLogger.new(logger)
jobs.prepare(job) { jobs.call(job, "low") { } }
logger.info("Booted Rails 6.1.7 application")
begin
  jobs.prepare(job) { jobs.call(job, "low") { raise IOError, "disk full" } }
rescue IOError
end
"""

CHAIN = """
require "sidekiq"
require "sidekiq/middleware/chain"
require_relative "lib/statsidecar_middleware"
chain = Sidekiq::Middleware::Chain.new
chain.add StatsidecarMiddleware
job = {"class" => "HardJob", "retry_count" => 1, "enqueued_at" => Time.now.to_f - 2}
chain.invoke(Object.new, job, "low") { :done }
begin
  chain.invoke(Object.new, job, "low") { raise IOError, "disk full" }
rescue IOError
  puts "raised"
end
"""


def run(code, directory, **changes):
    words = ruby()
    modules = debian("ruby-sidekiq", "ruby-redis", "ruby-connection-pool", "ruby-rack") / "usr"
    folders = ("lib/ruby/vendor_ruby", "share/rubygems-integration/*/gems/*/lib")
    paths = [str(path) for folder in folders for path in modules.glob(folder)]
    (pathlib.Path(directory) / "page.rb").write_text(code)
    done = subprocess.run(
        [*words, "page.rb"],
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment({"RUBYLIB": ":".join(paths), "RUBYOPT": "-W0", **changes}),
    )
    if "cannot load such file" in done.stderr:
        skip("Debian's Sidekiq does not start: " + done.stderr.splitlines()[0])
    equal(done.returncode, 0, done.stderr)
    return done.stdout


def without_times(text):
    return sorted(re.sub(r"(duration|queue_time):[0-9.]+\|", r"\1:TIME|", text).splitlines())


@test("the job logger's lines give the metrics of conf/examples/sidekiq.yaml")
def _():
    with temporary_directory() as directory:
        log = run(LOG, directory)
        messages = [json.loads(line)["msg"] for line in log.splitlines()]
        equal(messages, ["start", "done", "Booted Rails 6.1.7 application", "start", "fail"])
        config = (SOURCE / "conf/examples/sidekiq.yaml").read_text()
        path = pathlib.Path(directory) / "sidekiq.yaml"
        # The same as an input that ends.
        path.write_text(re.sub(r"fifo:///run/statsidecar/events", "stdin:", config) + "outputs: ['stdout:']\nadmin: off\n")
        done = command("run", "-c", path, input=log)
        equal(done.returncode, 0, done.stderr)
        true("unnamed" not in done.stderr, f"a sentence is complained about: {done.stderr}")
        context = json.loads(log.splitlines()[0])["ctx"]
        job = context.get("wrapped") or context["class"]
        lines = [line for line in without_times(done.stdout) if not line.startswith("_e")]
        equal(
            lines,
            sorted(
                [
                    f"sidekiq.jobs.started:1|c|#job:{job}",
                    f"sidekiq.jobs.started:1|c|#job:{job}",
                    f"sidekiq.jobs.done:1|c|#job:{job}",
                    f"sidekiq.jobs.failed:1|c|#job:{job}",
                    f"sidekiq.jobs.duration:TIME|ms|#outcome:done,job:{job}",
                    f"sidekiq.jobs.duration:TIME|ms|#outcome:fail,job:{job}",
                ]
            ),
            log,
        )


@test("the chain of middlewares runs the page's, which says the queue, the wait and the exception")
def _():
    page = (SOURCE / "docs/getting-started/sidekiq.md").read_text()
    (middleware,) = re.findall(r"^```ruby\n(# lib/statsidecar_middleware\.rb\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    with temporary_directory() as directory, Catcher() as catcher:
        library = pathlib.Path(directory) / "lib"
        library.mkdir()
        (library / "statsidecar.rb").symlink_to(CLIENTS / "ruby/statsidecar.rb")
        (library / "statsidecar_middleware.rb").write_text(middleware)
        equal(run(CHAIN, directory, STATSIDECAR_TO=catcher.url), "raised\n")
        first, second = catcher.events()
        for event in (first, second):
            equal((event["event"], event["job"], event["queue"], event["attempt"]), ("job.performed", "HardJob", "low", 2))
            true(2 <= event["queue_time"] and 0 <= event["execution_duration"] < event["queue_time"], event)
        equal((second["exception_class"], second["error_message"], first.get("exception_class")), ("IOError", "disk full", None))


main()
