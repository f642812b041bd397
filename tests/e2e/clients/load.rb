# frozen_string_literal: true

# Publishes as it is told by lines `COUNT SIZE` on standard input: so many events, each with a text and results of so
# many bytes; answers each with the totals `SENT DROPPED`.

require_relative "../../../clients/ruby/statsidecar"

number = 0
$stdout.sync = true
while (line = $stdin.gets)
  count, size = line.split.map(&:to_i)
  text = "\"é\n" * (size / 4)
  count.times do
    Statsidecar.publish_step_failed(step_name: "load", number: number += 1, error_message: text,
                                    step_results: { text: [text] }, backtrace: [text] * 3)
  end
  puts "#{Statsidecar.publisher.sent} #{Statsidecar.publisher.dropped}"
end
