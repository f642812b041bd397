/* A configuration as the agent uses it: the model of what to translate (lib/map/model.h) and the settings of what to
 * open. settings_load() reads the file, its includes and the environment, and reports every fault with its place;
 * nothing of libyaml is seen outside agent/settings/.
 *
 * Ownership: everything hangs in settings->arena and is freed by settings_free(). */
#ifndef STATSIDECAR_SETTINGS_SETTINGS_H
#define STATSIDECAR_SETTINGS_SETTINGS_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/problem.h"
#include "map/model.h"

enum transport {
	TRANSPORT_FIFO,
	TRANSPORT_UDP,
	TRANSPORT_UNIX,
	TRANSPORT_TCP,
	TRANSPORT_UNIXSTREAM,
	TRANSPORT_STDIN,
	TRANSPORT_STDOUT,
};

/* A URL taken apart. Texts are NUL-terminated; those that the transport has no use for are NULL. */
struct endpoint {
	enum transport transport;
	const char *url;  /* as written: the default label */
	const char *host; /* udp, tcp: a name or address, an IPv6 one without its brackets */
	uint16_t port;
	const char *path; /* fifo, unix, unixstream; an abstract name without its @ */
	bool is_abstract;
};

/* One entry of allow_from. */
struct network {
	uint8_t family_v6; /* 1: IPv6, 0: IPv4 */
	uint8_t bits;
	uint8_t address[16]; /* network byte order; IPv4 in the first four */
};

struct input_settings {
	struct endpoint endpoint;
	const char *label;
	bool is_default;   /* stands only by default: failing to open it is a warning */
	uint32_t mode;     /* fifo, unix, unixstream */
	const char *group; /* fifo; NULL: unchanged */
	struct network *allow_from;
	size_t allow_from_count;
	bool allow_from_any;
	uint32_t receive_buffer; /* bytes */
	uint32_t max_connections;
};

enum when_full { WHEN_FULL_DROP, WHEN_FULL_BLOCK };

/* Whose metrics a DogStatsD output says they are. DEFAULT is resolved when the settings are loaded. */
enum origin { ORIGIN_DEFAULT, ORIGIN_OFF, ORIGIN_POD, ORIGIN_SELF, ORIGIN_CONTAINER };
enum cardinality { CARDINALITY_DEFAULT, CARDINALITY_NONE, CARDINALITY_LOW, CARDINALITY_ORCHESTRATOR, CARDINALITY_HIGH };

struct output_settings {
	struct endpoint endpoint;
	const char *label;
	bool is_default;
	enum when_full when_full;
	uint32_t max_datagram;
	int64_t resolve_interval_ns;
	int64_t reopen_interval_ns; /* 0: off */
	/* What model.tags and model.suffix were made of. */
	enum origin origin;
	const char *origin_container;
	bool origin_is_unknown; /* the environment does not tell it (DD_ENTITY_ID is not set …): worth a warning */
	enum cardinality cardinality;
};

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum admin_api { ADMIN_API_AUTO, ADMIN_API_ON, ADMIN_API_OFF };
enum telemetry_metrics { TELEMETRY_MINIMAL, TELEMETRY_ALL };

struct settings {
	struct arena *arena;
	struct model model; /* inputs and outputs in the order of the arrays below */
	struct input_settings *inputs;
	struct output_settings *outputs;
	size_t input_count;  /* == model.input_count */
	size_t output_count; /* == model.output_count */

	bool admin_enabled;
	bool admin_is_default;
	const char *admin_host;
	uint16_t admin_port;
	enum admin_api admin_api;

	bool telemetry_enabled;
	bool telemetry_is_default; /* nothing is said about it */
	int64_t telemetry_interval_ns;
	const char *telemetry_prefix;
	enum telemetry_metrics telemetry_metrics;

	enum log_level log_level;
	enum log_format log_format;
	uint32_t log_quote; /* bytes of a bad line that are quoted at most */
	bool sandbox;
	int64_t shutdown_grace_ns;

	const char **files; /* every file that was read or missed, packs left out; for watching */
	size_t file_count;
	const char **globs; /* patterns of `include`, as paths; for watching */
	size_t glob_count;
	uint64_t digest;    /* of all that was read: equal ones say the same */
	const char *origin; /* where the configuration came from, for messages: a path or `built-in tasker` */
};

/* What the command line asks for; everything may be NULL or 0. */
struct settings_request {
	const char *config; /* -c: a path or a pack's name; NULL: $STATSIDECAR_CONFIG, /etc/…, the embedded default */
	const char *const *inputs; /* --input: replace the configured ones */
	size_t input_count;
	const char *const *outputs;
	size_t output_count;
	const char *dialect; /* --dialect: of every output */
};

/* Every fault is added to problems, those of mapping_compile() not among them. Where there is one the settings hold
 * only what could be read, for mapping_compile() to find further faults in, and must not be used otherwise: look at
 * problems->count. NULL where nothing could be read at all. File names in problems stay valid until
 * settings_names_free() (they are kept in a table of the process), which ends them for good: only before the program
 * ends. */
struct settings *settings_load(const struct settings_request *request, struct problems *problems);
void settings_free(struct settings *settings);
void settings_names_free(void);

/* `check --print`: the effective configuration as YAML, defaults and includes resolved. */
void settings_print(const struct settings *settings, FILE *out);

/* Whether both lead to the same place. */
bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b);

/* Takes a URL apart; 0, or -1 and *why (static text that says what to write instead). The texts are put into arena. */
int endpoint_parse(struct endpoint *endpoint, struct span url, uint16_t default_port, struct arena *arena,
                   const char **why) __attribute__((warn_unused_result));

/* The built-in packs: files of conf/. */
struct pack {
	const char *name;
	char *text; /* once it was asked for */
};
const struct pack *pack_find(const char *name);
const struct pack *pack_at(size_t index); /* NULL behind the last */
/* Valid until the program ends. */
struct span pack_text(const struct pack *pack);

#endif
