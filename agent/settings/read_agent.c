/* limits, admin, telemetry, log, sandbox, shutdown_grace: what concerns the agent as a whole. */
#include <arpa/inet.h>
#include <string.h>

#include "base/bounds.h"
#include "settings/fault.h"
#include "settings/ports.h"
#include "settings/print.h"
#include "settings/scalar.h"
#include "settings/value.h"

#define SECOND      INT64_C(1000000000)
#define SET(member) offsetof(struct settings, member)

static const char *const api_names[] = {"auto", "on", "off", NULL};
static const char *const metrics_names[] = {"minimal", "all", NULL};
static const char *const level_names[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_format_names[] = {"text", "json", NULL};

static bool count_read(struct reader *reader, const char *name, const struct node *node, uint32_t *count)
{
	const struct setting row = {.key = name, .type = SETTING_COUNT, .min = 1, .max = 1000000};
	*count = 0;
	setting_read(reader, &row, node, count);
	return *count != 0;
}

/* 1000, or {default: 1000, step: 5000}: a limit for each tag key. */
static void read_tag_values(struct reader *reader, const struct node *node, void *target)
{
	struct limits_model *limits = &((struct settings *)target)->model.limits;
	uint32_t limit;
	if (node->kind != NODE_MAP) {
		if (count_read(reader, "tag_values", node, &limit))
			limits->tag_values = limit;
		return;
	}
	limits->tag_value_limits = arena_array(reader->arena, node->count + 1, sizeof(*limits->tag_value_limits));
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		if (!count_read(reader, entry->key->raw.at, entry->value, &limit))
			continue;
		if (span_is(entry->key->raw, "default"))
			limits->tag_values = limit;
		else
			limits->tag_value_limits[limits->tag_value_limit_count++] =
				(struct tag_limit_model){value_key(entry->key), limit};
	}
}

static void print_tag_values(struct printer *printer, const void *target)
{
	const struct limits_model *limits = &((const struct settings *)target)->model.limits;
	print_key(printer, "tag_values");
	fprintf(printer->out, "{default: %u", limits->tag_values);
	for (size_t i = 0; i < limits->tag_value_limit_count; i++) {
		fputs(", ", printer->out);
		print_name(printer->out, limits->tag_value_limits[i].key.span);
		fprintf(printer->out, ": %u", limits->tag_value_limits[i].limit);
	}
	fputc('}', printer->out);
}

static const struct setting limits_settings[] = {
	{.key = "line", .type = SETTING_BYTES, .offset = SET(model.limits.line), .min = LINE_MAX_LOW,
	 .max = LINE_MAX_HIGH, .fallback = "64KiB",
	 .help = "a line's length, its end not counted; longer ones are counted as oversize"},
	{.key = "names", .type = SETTING_COUNT, .offset = SET(model.limits.names), .min = 1, .max = 1000000,
	 .fallback = "2000", .help = "different names that templates may make"},
	{.key = "tag_values", .type = SETTING_OWN, .read = read_tag_values, .print = print_tag_values,
	 .fallback = "1000", .takes = "count, or map of tag key to count",
	 .help = "different values of one tag key; a map may have `default`"},
	{.key = "tag_length", .type = SETTING_BYTES, .offset = SET(model.limits.tag_length), .min = 1,
	 .max = TAG_LENGTH_HIGH, .fallback = "200", .help = "a tag value's length; longer ones are cut"},
};

const struct table limits_table = {"limits", "limits", limits_settings, ARRAY_LEN(limits_settings)};

/* What can be listened on: names are not resolved. */
static bool host_is_address(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	return strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, address) == 1 ||
	       inet_pton(AF_INET6, host, address) == 1;
}

/* ADDRESS:PORT, [ADDRESS]:PORT */
static void admin_address(struct reader *reader, const struct text *text, struct settings *settings)
{
	struct endpoint endpoint;
	const char *why;
	struct span url = arena_printf(reader->arena, "tcp://%.*s", SPAN_ARG(text->span));
	if (endpoint_parse(&endpoint, url, 0, reader->arena, &why) < 0 || !host_is_address(endpoint.host)) {
		fault(reader->problems, text->mark, "`%.*s`: write an address and a port, such as 127.0.0.1:%d, or off",
		      FAULT_ARG(text->span), PORT_ADMIN);
		return;
	}
	settings->admin_enabled = true;
	settings->admin_host = endpoint.host;
	settings->admin_port = endpoint.port;
}

static void read_listen(struct reader *reader, const struct node *node, void *target)
{
	struct text text;
	if (value_text(reader, "listen", node, &text))
		admin_address(reader, &text, target);
}

static void print_listen(struct printer *printer, const void *target)
{
	const struct settings *settings = target;
	bool is_v6 = strchr(settings->admin_host, ':') != NULL;
	print_key(printer, "listen");
	fprintf(printer->out, "\"%s%s%s:%u\"", is_v6 ? "[" : "", settings->admin_host, is_v6 ? "]" : "",
	        settings->admin_port);
}

static const struct setting admin_settings[] = {
	{.key = "listen", .type = SETTING_OWN, .read = read_listen, .print = print_listen, .takes = "HOST:PORT",
	 .fallback = "127.0.0.1:8128", .help = "where HTTP is answered"},
	{.key = "api", .type = SETTING_CHOICE, .offset = SET(admin_api), .choices = api_names, .fallback = "auto",
	 .help = "who may see events: auto, on loopback only"},
};

const struct table admin_table = {"admin", "admin", admin_settings, ARRAY_LEN(admin_settings)};

/* `off`, `no`, `on` …: a whole part of the agent is turned off, or on as it is by default. */
static bool is_switch(const struct node *node, bool *flag)
{
	const char *why;
	return node->kind == NODE_SCALAR && scalar_bool(flag, node->text, &why) == 0;
}

static void read_admin(struct reader *reader, const struct node *node, void *target)
{
	struct settings *settings = target;
	struct text text;
	if (is_switch(node, &settings->admin_enabled))
		return;
	settings->admin_is_default = false;
	if (node->kind == NODE_SCALAR) {
		if (value_text(reader, "admin", node, &text))
			admin_address(reader, &text, settings);
	} else if (value_is_map(reader, "admin", node)) {
		uint64_t given = table_read(reader, &admin_table, node, settings);
		settings->admin_is_default = !table_given(&admin_table, given, "listen");
	}
}

static const struct setting telemetry_settings[] = {
	{.key = "interval", .type = SETTING_DURATION, .offset = SET(telemetry_interval_ns), .min = SECOND / 10,
	 .max = 86400 * SECOND, .fallback = "10s", .help = "how often the agent's own metrics go out"},
	{.key = "prefix", .type = SETTING_STRING, .flags = SETTING_NAME, .offset = SET(telemetry_prefix),
	 .fallback = "statsidecar.", .help = "before their names"},
	{.key = "metrics", .type = SETTING_CHOICE, .offset = SET(telemetry_metrics), .choices = metrics_names,
	 .fallback = "minimal", .help = "which of them"},
};

const struct table telemetry_table = {"telemetry", "telemetry", telemetry_settings, ARRAY_LEN(telemetry_settings)};

static void read_telemetry(struct reader *reader, const struct node *node, void *target)
{
	struct settings *settings = target;
	settings->telemetry_is_default = false;
	if (!is_switch(node, &settings->telemetry_enabled) && value_is_map(reader, "telemetry", node))
		(void)table_read(reader, &telemetry_table, node, settings);
}

static const struct setting log_settings[] = {
	{.key = "level", .type = SETTING_CHOICE, .offset = SET(log_level), .choices = level_names, .fallback = "info",
	 .help = "what is logged, to standard error"},
	{.key = "format", .type = SETTING_CHOICE, .offset = SET(log_format), .choices = log_format_names,
	 .fallback = "text", .help = "how"},
	{.key = "quote", .type = SETTING_BYTES, .offset = SET(log_quote), .min = 0, .max = 4096, .fallback = "120",
	 .help = "how much of a bad line is quoted at most"},
};

const struct table log_table = {"log", "log", log_settings, ARRAY_LEN(log_settings)};

static void read_log(struct reader *reader, const struct node *node, void *target)
{
	if (value_is_map(reader, "log", node))
		(void)table_read(reader, &log_table, node, target);
}

static void read_limits(struct reader *reader, const struct node *node, void *target)
{
	if (value_is_map(reader, "limits", node))
		(void)table_read(reader, &limits_table, node, target);
}

static const struct setting settings_settings[] = {
	{.key = "inputs", .type = SETTING_OWN, .read = read_inputs, .takes = "list of URLs or maps",
	 .shown = "udp://127.0.0.1:8127 and fifo:///run/statsidecar/events", .help = "where events come in"},
	{.key = "outputs", .type = SETTING_OWN, .read = read_outputs, .takes = "list of URLs or maps",
	 .shown = "DD_DOGSTATSD_URL, else DD_AGENT_HOST, else STATSD_HOST, else udp://127.0.0.1:8125",
	 .help = "where metrics go"},
	{.key = "limits", .type = SETTING_OWN, .read = read_limits, .takes = "map", .shown = "see below",
	 .help = "what bounds memory and cost"},
	{.key = "admin", .type = SETTING_OWN, .read = read_admin, .takes = "HOST:PORT, map, or off",
	 .shown = "127.0.0.1:8128", .help = "status page, probes, metrics for Prometheus"},
	{.key = "telemetry", .type = SETTING_OWN, .read = read_telemetry, .takes = "map, or off", .shown = "see below",
	 .help = "the agent's own metrics, to every output"},
	{.key = "log", .type = SETTING_OWN, .read = read_log, .takes = "map", .shown = "see below",
	 .help = "messages on standard error"},
	{.key = "sandbox", .type = SETTING_BOOL, .offset = SET(sandbox), .fallback = "true",
	 .help = "no new privileges, and a filter of system calls where built in"},
	{.key = "shutdown_grace", .type = SETTING_DURATION, .offset = SET(shutdown_grace_ns), .min = 0,
	 .max = 3600 * SECOND, .fallback = "5s", .help = "how long the end may take to send what was read"},
};

const struct table settings_table = {"the configuration", "", settings_settings, ARRAY_LEN(settings_settings)};
