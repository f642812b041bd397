/* outputs: [{url: "udp://127.0.0.1:8125", dialect: dogstatsd, filter: ["**", "!debug.**"], origin: pod}] */
#include "base/bounds.h"
#include "settings/fault.h"
#include "settings/ports.h"
#include "settings/print.h"
#include "settings/value.h"

static const char *const when_full_names[] = {"drop", "block", NULL};
static const char *const timers_names[] = {"ms", "histogram", "distribution", NULL};
static const char *const origin_names[] = {"off", "pod", "self", NULL};
static const char *const cardinality_names[] = {"none", "low", "orchestrator", "high", NULL};

static void output_url(struct reader *reader, const struct text *url, struct output_entry *entry)
{
	const char *why;
	struct endpoint *endpoint = &entry->settings.endpoint;
	entry->model.mark = url->mark;
	if (endpoint_parse(endpoint, url->span, PORT_OUTPUT, reader->arena, &why) < 0) {
		fault(reader->problems, url->mark, "`%.*s`: %s", FAULT_ARG(url->span), why);
		endpoint->url = NULL;
	} else if (endpoint->host && endpoint->port == 0) {
		fault(reader->problems, url->mark, "`%.*s`: nothing can listen on port 0", FAULT_ARG(url->span));
		endpoint->url = NULL;
	} else if (endpoint->transport == TRANSPORT_STDIN || endpoint->transport == TRANSPORT_FIFO) {
		fault(reader->problems, url->mark,
		      "`%.*s` is an input: an output can be udp, unix, unixstream, tcp or stdout:",
		      FAULT_ARG(url->span));
		endpoint->url = NULL;
	}
}

static void read_url(struct reader *reader, const struct node *node, void *target)
{
	struct text url;
	if (value_text(reader, "url", node, &url))
		output_url(reader, &url, target);
}

static void print_url(struct printer *printer, const void *target)
{
	print_key(printer, "url");
	print_text(printer->out, span_of(((const struct output_entry *)target)->settings.endpoint.url));
}

static void read_dialect(struct reader *reader, const struct node *node, void *target)
{
	const char *names[DIALECT_COUNT + 1] = {0};
	for (int i = 0; i < DIALECT_COUNT; i++)
		names[i] = dialect_names[i];
	int dialect = value_choice(reader, "dialect", node, names);
	if (dialect >= 0)
		((struct output_entry *)target)->model.dialect = (enum dialect)dialect;
}

static void print_dialect(struct printer *printer, const void *target)
{
	print_key(printer, "dialect");
	fputs(dialect_names[((const struct output_entry *)target)->model.dialect], printer->out);
}

/* {container: NAME} */
static void read_container(struct reader *reader, const struct node *node, struct output_settings *settings)
{
	static const struct setting rows[] = {
		{.key = "container",
	         .type = SETTING_TEXT,
	         .flags = SETTING_REQUIRED,
	         .help = "the application's container"},
	};
	static const struct table table = {"origin", "outputs[].origin", rows, ARRAY_LEN(rows)};
	struct text name = {0};
	(void)table_read(reader, &table, node, &name);
	if (!name.span.at)
		return;
	for (size_t i = 0; i < name.span.len; i++) {
		char byte = name.span.at[i];
		if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' ||
		    byte == '_')
			continue;
		fault(reader->problems, name.mark, "`container: %.*s`: a container's name has a-z, 0-9 and -",
		      FAULT_ARG(name.span));
		return;
	}
	settings->origin = ORIGIN_CONTAINER;
	settings->origin_container = name.span.at;
}

static void read_origin(struct reader *reader, const struct node *node, void *target)
{
	struct output_settings *settings = &((struct output_entry *)target)->settings;
	if (node->kind == NODE_MAP && !node->is_faulty) {
		read_container(reader, node, settings);
		return;
	}
	int origin = value_choice(reader, "origin", node, origin_names);
	if (origin >= 0)
		settings->origin = (enum origin)(ORIGIN_OFF + origin);
}

static void print_origin(struct printer *printer, const void *target)
{
	const struct output_settings *settings = &((const struct output_entry *)target)->settings;
	print_key(printer, "origin");
	if (settings->origin == ORIGIN_CONTAINER)
		fprintf(printer->out, "{container: \"%s\"}", settings->origin_container);
	else
		fputs(origin_names[settings->origin - ORIGIN_OFF], printer->out);
}

#define OUT(member) offsetof(struct output_entry, member)
#define SECOND      INT64_C(1000000000)

static const struct setting output_settings[] = {
	{.key = "url", .type = SETTING_OWN, .flags = SETTING_REQUIRED, .read = read_url, .print = print_url,
	 .takes = "URL",
	 .help = "udp://HOST:PORT, unix:///PATH, unix://@NAME, unixstream:///PATH, tcp://HOST:PORT or stdout:"},
	{.key = "name", .type = SETTING_STRING, .offset = OUT(settings.label), .shown = "the URL",
	 .help = "the output's label"},
	{.key = "dialect", .type = SETTING_OWN, .read = read_dialect, .print = print_dialect, .shown = "dogstatsd",
	 .takes = "dogstatsd, statsd, graphite, influxdb, librato or signalfx", .help = "how lines are written"},
	{.key = "prefix", .type = SETTING_TEXT, .flags = SETTING_NAME, .offset = OUT(model.prefix), .fallback = "",
	 .help = "before every name on this output"},
	{.key = "filter", .type = SETTING_TEXTS, .offset = OUT(model.filter), .takes = "list of globs",
	 .fallback = "[\"**\"]",
	 .help = "globs: which metrics go here, by name without this prefix; \"!GLOB\" excludes; the last match decides"},
	{.key = "max_datagram", .type = SETTING_BYTES, .offset = OUT(settings.max_datagram), .min = 1, .max = 65507,
	 .shown = "1432 for udp, else 8192", .help = "how much is sent at a time"},
	{.key = "when_full", .type = SETTING_CHOICE, .offset = OUT(settings.when_full), .choices = when_full_names,
	 .shown = "block for stdout, else drop", .help = "drop (counted), or stop reading pipes and standard input"},
	{.key = "timers", .type = SETTING_CHOICE, .offset = OUT(model.timers), .choices = timers_names,
	 .fallback = "ms", .help = "dogstatsd: as what timers go out"},
	{.key = "tags_in_name", .type = SETTING_BOOL, .offset = OUT(model.tags_in_name), .fallback = "false",
	 .help = "statsd: the values of the metric's and the rule's tags follow its name"},
	{.key = "origin", .type = SETTING_OWN, .read = read_origin, .print = print_origin,
	 .takes = "pod, {container: NAME}, self or off", .shown = "pod where DD_ENTITY_ID is set, else off",
	 .help = "dogstatsd: whose metrics these are"},
	{.key = "cardinality", .type = SETTING_CHOICE, .offset = OUT(settings.cardinality), .min = CARDINALITY_NONE,
	 .choices = cardinality_names, .shown = "DD_CARDINALITY", .help = "dogstatsd: which tags the Agent adds"},
	{.key = "resolve_interval", .type = SETTING_DURATION, .offset = OUT(settings.resolve_interval_ns),
	 .min = SECOND / 100, .max = 86400 * SECOND, .fallback = "30s",
	 .help = "how often a host's name is resolved again"},
	{.key = "reopen_interval", .type = SETTING_DURATION, .flags = SETTING_OR_OFF,
	 .offset = OUT(settings.reopen_interval_ns), .min = SECOND / 100, .max = 86400 * SECOND, .fallback = "60s",
	 .help = "udp to another host: how often a new source port is taken"},
};

const struct table output_table = {"an output", "outputs[]", output_settings, ARRAY_LEN(output_settings)};

static const struct {
	const char *key;
	enum dialect dialect;
} output_only[] = {
	{"timers", DIALECT_DOGSTATSD},
	{"origin", DIALECT_DOGSTATSD},
	{"cardinality", DIALECT_DOGSTATSD},
	{"tags_in_name", DIALECT_STATSD},
};

bool output_takes(const struct setting *setting, const void *target)
{
	for (size_t i = 0; i < ARRAY_LEN(output_only); i++)
		if (strcmp(setting->key, output_only[i].key) == 0)
			return ((const struct output_entry *)target)->model.dialect == output_only[i].dialect;
	return true;
}

static void output_check(struct reader *reader, const struct node *node, const struct output_entry *entry)
{
	for (size_t i = 0; i < ARRAY_LEN(output_only); i++) {
		const struct node_entry *given = node_find(node, output_only[i].key);
		if (given && entry->model.dialect != output_only[i].dialect)
			fault(reader->problems, given->key->mark,
			      "`%s` has no meaning for the dialect %s: it belongs to %s", output_only[i].key,
			      dialect_names[entry->model.dialect], dialect_names[output_only[i].dialect]);
	}
}

static void output_add(struct settings *settings, struct output_entry *entry, uint32_t max_datagram, bool has_when_full)
{
	struct output_settings *output = &entry->settings;
	bool is_udp = output->endpoint.transport == TRANSPORT_UDP;
	output->max_datagram = max_datagram ? max_datagram : is_udp ? 1432 : 8192;
	if (!has_when_full)
		output->when_full = output->endpoint.transport == TRANSPORT_STDOUT ? WHEN_FULL_BLOCK : WHEN_FULL_DROP;
	if (!output->label)
		output->label = output->endpoint.url;
	entry->model.max_datagram = output->max_datagram;
	entry->model.label = (struct text){span_of(output->label), entry->model.mark};
	settings->outputs[settings->output_count] = *output;
	settings->model.outputs[settings->output_count] = entry->model;
	settings->model.output_count = ++settings->output_count;
}

static void outputs_room(struct reader *reader, struct settings *settings)
{
	if (settings->outputs)
		return;
	settings->outputs = arena_array(reader->arena, OUTPUTS_MAX, sizeof(*settings->outputs));
	settings->model.outputs = arena_array(reader->arena, OUTPUTS_MAX, sizeof(*settings->model.outputs));
}

static bool outputs_take(struct reader *reader, struct settings *settings, struct mark mark)
{
	outputs_room(reader, settings);
	if (settings->output_count < OUTPUTS_MAX)
		return true;
	fault(reader->problems, mark, "more than %d outputs", OUTPUTS_MAX);
	return false;
}

void output_from_url(struct reader *reader, struct settings *settings, struct text url)
{
	struct output_entry entry = {.model = {.mark = url.mark}};
	if (!outputs_take(reader, settings, url.mark))
		return;
	table_defaults(reader, &output_table, &entry);
	output_url(reader, &url, &entry);
	if (entry.settings.endpoint.url)
		output_add(settings, &entry, 0, false);
}

static void read_output(struct reader *reader, struct settings *settings, const struct node *node)
{
	struct output_entry entry = {.model = {.mark = node->mark}};
	if (!outputs_take(reader, settings, node->mark))
		return;
	table_defaults(reader, &output_table, &entry);
	uint64_t given = table_read(reader, &output_table, node, &entry);
	if (!entry.settings.endpoint.url)
		return;
	output_check(reader, node, &entry);
	entry.model.mark = node->mark;
	output_add(settings, &entry, entry.settings.max_datagram, table_given(&output_table, given, "when_full"));
}

void read_outputs(struct reader *reader, const struct node *node, void *target)
{
	struct settings *settings = target;
	struct text url;
	settings->output_count = settings->model.output_count = 0;
	if (node->kind == NODE_SCALAR && value_text(reader, "outputs", node, &url)) {
		output_from_url(reader, settings, url);
		return;
	}
	if (node->kind == NODE_SCALAR || !value_is_list(reader, "outputs", node))
		return;
	outputs_room(reader, settings);
	if (node->count == 0 && !node->is_cut)
		fault(reader->problems, node->mark, "`outputs` needs at least one; leave it out for the default one");
	for (size_t i = 0; i < node->count; i++) {
		const struct node *item = node->items[i];
		if (item->kind == NODE_MAP &&
		    (item->count != 1 || table_find(&output_table, item->entries[0].key->raw) ||
		     !value_unquoted(reader, item)))
			read_output(reader, settings, item);
		else if (item->kind != NODE_MAP && value_text(reader, "outputs", item, &url))
			output_from_url(reader, settings, url);
	}
}

void outputs_check(struct reader *reader, const struct settings *settings)
{
	for (size_t i = 1; i < settings->output_count; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(settings->outputs[i].label, settings->outputs[k].label) == 0)
				fault(reader->problems, settings->model.outputs[i].label.mark,
				      "two outputs have the name `%s`: give each its own with `name`",
				      settings->outputs[i].label);
}
