/* Every fixed size of the program, each with its reason. What goes beyond one is refused with an error or counted under
 * a name of its own: nothing is cut silently. */
#ifndef STATSIDECAR_BASE_BOUNDS_H
#define STATSIDECAR_BASE_BOUNDS_H

enum {
	/* Bytes before and after every buffer that is indexed or scanned: vector loads may touch them. */
	SCAN_PAD = 64,

	/* An identifier: longer ones are no identifiers (SPEC section 2). */
	IDENTIFIER_MAX = 200,

	/* A metric's name on the wire, prefixes included: what DogStatsD takes; cut behind it. */
	NAME_MAX_LEN = 200,

	/* A line alone in its datagram: the Datadog Agent's and most servers' receive buffer. */
	LINE_OUT_MAX = 8192,

	/* Containers whose fields read as if they stood at the top (identify.payload). */
	PAYLOAD_MAX = 4,

	/* Nesting of JSON; one bit a level in the validator, and deeper than any producer writes. */
	JSON_DEPTH_MAX = 128,

	/* Places in a payload that one configuration can name: one presence bit each. */
	LOCATIONS_MAX = 1024,

	/* Tags one metric can get from itself, its rule, its input and the global ones: one bit each while rendering. */
	TAGS_MAX = 64,

	/* Outputs: one bit each where a metric is filtered. */
	OUTPUTS_MAX = 32,
	INPUTS_MAX = 64,

	/* Segments of an identifier that {event.N} can name: IDENTIFIER_MAX bytes hold no more than 100. */
	SEGMENTS_MAX = 100,

	/* Nodes that the aliases of one YAML document may stand for: a few lines of them could stand for any number. */
	YAML_NODES_MAX = 10000,

	/* A StatsD line's values times its tags: each value is an event that has all of them, so that one line of 64 KiB could
	 * take seconds. What fits into a datagram of 8 KiB stays below, unless it was made for that. */
	STATSD_PRODUCT_MAX = 128 * 1024,

	/* Lifecycles of one configuration. */
	LIFECYCLES_MAX = 16,

	/* limits.line: what one unfinished line may occupy. */
	LINE_MAX_DEFAULT = 64 * 1024,
	LINE_MAX_LOW = 1,
	LINE_MAX_HIGH = 1024 * 1024,

	/* One read of a stream; of a pipe, which holds up to 1 MiB: each read of a full one has to wake its writer. */
	READ_SIZE = 64 * 1024,
	PIPE_READ_SIZE = 256 * 1024,

	/* The longest datagram: IPv4's 65,507 bytes, and what a Unix socket is given. */
	DATAGRAM_MAX = 64 * 1024,

	/* limits.tag_length */
	TAG_LENGTH_DEFAULT = 200,
	TAG_LENGTH_HIGH = 4096,

	/* What rendering one metric for one output may take at most, before it is measured against LINE_OUT_MAX. */
	RENDER_MAX = 64 * 1024,
};

#endif
