# fish completion of statsidecar

set -l commands run check explain test catalogue publish exec tap health help

function __statsidecar_events
    statsidecar catalogue 2>/dev/null | string match --regex --groups-only '^([A-Za-z]\S*)'
end

# Behind `exec NAME --` stands another command.
function __statsidecar_is_at_command
    set -l words (commandline -opc)
    test "$words[2]" = exec; and contains -- -- $words
end

function __statsidecar_command
    set -l words (commandline -opc) (commandline -ct)
    __fish_complete_subcommand --commandline $words[(math (contains -i -- -- $words) + 1)..-1]
end

function __statsidecar_uses
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv; and not __statsidecar_is_at_command
end

complete -c statsidecar -f
complete -c statsidecar -n 'not __statsidecar_is_at_command' -l help -d 'Show how to use it'
complete -c statsidecar -n __fish_use_subcommand -l version -d 'Show the version'

for line in \
    'run:Run the agent in the foreground' \
    'check:Report every fault of a configuration' \
    'explain:Tell what becomes of events, and why' \
    'test:Run the tests of a configuration' \
    'catalogue:List the known events, their payload and metrics' \
    'publish:Publish one event, or the lines of standard input' \
    'exec:Run a command and publish how it went' \
    'tap:Show what the running agent sees' \
    'health:Tell whether the running agent is well' \
    'help:Tell what there is, or how to use one command'
    set -l parts (string split -m 1 : $line)
    complete -c statsidecar -n __fish_use_subcommand -a $parts[1] -d $parts[2]
end
complete -c statsidecar -n '__statsidecar_uses help' -a "$commands"

set -l packs "tasker\t'Built-in pack' tasker-lifecycles\t'Built-in pack' job\t'Built-in pack'"
complete -c statsidecar -n '__statsidecar_uses run check explain test catalogue' -s c -l config -rF -a $packs -d 'Configuration: a path or a pack'

complete -c statsidecar -n '__statsidecar_uses run' -l input -x -a 'fifo:/// udp:// unix:/// tcp:// unixstream:/// stdin:' -d 'Read this'
complete -c statsidecar -n '__statsidecar_uses run' -l output -x -a 'udp:// unix:/// tcp:// unixstream:/// stdout:' -d 'Send there'
complete -c statsidecar -n '__statsidecar_uses run' -l dialect -x -a 'dogstatsd statsd graphite influxdb librato signalfx' -d 'Of every output'
complete -c statsidecar -n '__statsidecar_uses run' -l copy-program -rF -d 'Put a copy of this program there first'

complete -c statsidecar -n '__statsidecar_uses check' -l print -d 'Print the effective configuration'

complete -c statsidecar -n '__statsidecar_uses explain' -l input -x -d 'Take the lines as this input would'
complete -c statsidecar -n '__statsidecar_uses explain catalogue tap' -l json -d 'One JSON object a line'
complete -c statsidecar -n '__statsidecar_uses explain' -l summary -d 'Counts over all lines'
complete -c statsidecar -n '__statsidecar_uses explain' -l diff -rF -a $packs -d 'Compare the metrics of two configurations'
complete -c statsidecar -n '__statsidecar_uses explain; and __fish_contains_opt diff' -F -a $packs

complete -c statsidecar -n '__statsidecar_uses catalogue' -l legacy -d 'Only the legacy names'
complete -c statsidecar -n '__statsidecar_uses publish catalogue' -a '(__statsidecar_events)' -d 'Event'

complete -c statsidecar -n '__statsidecar_uses publish exec' -l to -x -a 'fifo:/// udp:// unix:///' -d 'Where the agent listens'
complete -c statsidecar -n '__statsidecar_uses publish' -s q -l quiet -d 'Silent, and status 0, where it could not be sent'
complete -c statsidecar -n '__statsidecar_uses publish' -a - -d 'Read lines from standard input'

complete -c statsidecar -n '__statsidecar_uses exec' -l set -x -d 'KEY=VALUE, a field of both events'
complete -c statsidecar -n '__statsidecar_uses exec' -l tee -d 'Publish each line of standard output, too'
complete -c statsidecar -n '__statsidecar_uses exec' -a -- -d 'The command follows'
complete -c statsidecar -n __statsidecar_is_at_command -xa '(__statsidecar_command)'

complete -c statsidecar -n '__statsidecar_uses tap health' -l admin -x -a 127.0.0.1:8128 -d 'Where the agent answers'
complete -c statsidecar -n '__statsidecar_uses tap' -l match -x -a '(__statsidecar_events)' -d 'Only events that match'
complete -c statsidecar -n '__statsidecar_uses tap' -l outcome -x -a 'mapped fallback dropped empty unmapped unnamed malformed oversize' -d 'Only events with this outcome'
complete -c statsidecar -n '__statsidecar_uses tap' -s n -x -d 'End after so many events'
complete -c statsidecar -n '__statsidecar_uses health' -l ready -d 'Ask whether it is ready, not whether it lives'
