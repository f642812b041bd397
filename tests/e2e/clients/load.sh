# Publishes as it is told by lines `COUNT SIZE` on standard input: so many events, each with a text and results of so
# many bytes; answers each with the totals `SENT DROPPED`. $1: the folder of the clients.
set -eu

# shellcheck source=/dev/null
. "$1/shell/statsidecar.sh"

number=0
while read -r count size; do
	text=$(printf "%$((size / 4))s" "" | sed 's/ /"é\\/g')
	while [ "$count" -gt 0 ]; do
		count=$((count - 1))
		number=$((number + 1))
		publish_step_failed step_name=load "number=$number" "error_message=$text" "step_results=$text" "backtrace=$text"
	done
	echo "$STATSIDECAR_SENT $STATSIDECAR_DROPPED"
done
