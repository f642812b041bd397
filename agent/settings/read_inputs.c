/* inputs: [fifo:///run/statsidecar/events, {url: "udp://0.0.0.0:8127", name: lan, allow_from: [10.0.0.0/8]}] */
#include "base/bounds.h"
#include "settings/fault.h"
#include "settings/network.h"
#include "settings/ports.h"
#include "settings/print.h"
#include "settings/value.h"

static const char *const format_names[] = {"auto", "json", "logfmt", "statsd", NULL};
static const char *const unnamed_names[] = {"log", "ignore", NULL};

static void input_url(struct reader *reader, const struct text *url, struct input_entry *entry)
{
	const char *why;
	struct endpoint *endpoint = &entry->settings.endpoint;
	entry->mark = url->mark;
	if (endpoint_parse(endpoint, url->span, PORT_INPUT, reader->arena, &why) < 0) {
		fault(reader->problems, url->mark, "`%.*s`: %s", FAULT_ARG(url->span), why);
		endpoint->url = NULL;
	} else if (endpoint->transport == TRANSPORT_STDOUT) {
		fault(reader->problems, url->mark, "`stdout:` is an output: an input can be udp, unix, tcp, unixstream, fifo or stdin:");
		endpoint->url = NULL;
	}
}

static void read_url(struct reader *reader, const struct node *node, void *target)
{
	struct text url;
	if (value_text(reader, "url", node, &url))
		input_url(reader, &url, target);
}

static void print_url(struct printer *printer, const void *target)
{
	print_key(printer, "url");
	print_text(printer->out, span_of(((const struct input_entry *)target)->settings.endpoint.url));
}

static void read_allow_from(struct reader *reader, const struct node *node, void *target)
{
	struct input_settings *settings = &((struct input_entry *)target)->settings;
	struct texts texts = {0};
	const char *why;
	if (node->kind == NODE_SCALAR && span_is(node->text, "any")) {
		settings->allow_from_any = true;
		return;
	}
	(void)value_texts(reader, "allow_from", node, &texts);
	settings->allow_from = arena_array(reader->arena, texts.count + 1, sizeof(*settings->allow_from));
	for (size_t i = 0; i < texts.count; i++) {
		struct network *network = &settings->allow_from[settings->allow_from_count];
		if (network_parse(network, texts.items[i].span, &why) == 0)
			settings->allow_from_count++;
		else
			fault(reader->problems, texts.items[i].mark, "`allow_from: %.*s`: %s",
			      FAULT_ARG(texts.items[i].span), why);
	}
	if (node->kind == NODE_LIST && node->count == 0 && !node->is_cut)
		fault(reader->problems, node->mark, "`allow_from` would let nobody in: write networks, or any");
}

static void print_allow_from(struct printer *printer, const void *target)
{
	const struct input_settings *settings = &((const struct input_entry *)target)->settings;
	char text[NETWORK_TEXT_MAX];
	if (!settings->allow_from_any && settings->allow_from_count == 0)
		return;
	print_key(printer, "allow_from");
	fputs(settings->allow_from_any ? "any" : "[", printer->out);
	for (size_t i = 0; i < settings->allow_from_count; i++) {
		network_write(text, &settings->allow_from[i]);
		fprintf(printer->out, "%s\"%s\"", i ? ", " : "", text);
	}
	if (!settings->allow_from_any)
		fputc(']', printer->out);
}

/* A choice of two, kept as a flag. */
static void read_unnamed(struct reader *reader, const struct node *node, void *target)
{
	int choice = value_choice(reader, "unnamed", node, unnamed_names);
	if (choice >= 0)
		((struct input_entry *)target)->model.unnamed_ignore = choice == 1;
}

static void print_unnamed(struct printer *printer, const void *target)
{
	print_key(printer, "unnamed");
	fputs(unnamed_names[((const struct input_entry *)target)->model.unnamed_ignore], printer->out);
}

#define IN(member) offsetof(struct input_entry, member)

static const struct setting input_settings[] = {
	{.key = "url", .type = SETTING_OWN, .flags = SETTING_REQUIRED, .read = read_url, .print = print_url,
	 .takes = "URL",
	 .help = "fifo:///PATH, udp://HOST:PORT, unix:///PATH, unix://@NAME, tcp://HOST:PORT, unixstream:///PATH or stdin:"},
	{.key = "name", .type = SETTING_STRING, .offset = IN(settings.label), .shown = "the URL",
	 .help = "the input's label"},
	{.key = "format", .type = SETTING_CHOICE, .offset = IN(model.format), .choices = format_names,
	 .fallback = "auto", .help = "how lines are read; auto: JSON where they begin with { or [, else logfmt"},
	{.key = "event", .type = SETTING_TEXT, .offset = IN(model.event), .takes = "identifier",
	 .help = "the identifier of lines that have none"},
	{.key = "unnamed", .type = SETTING_OWN, .read = read_unnamed, .print = print_unnamed, .takes = "log or ignore",
	 .fallback = "log", .help = "what happens to lines without an identifier beside being counted"},
	{.key = "tags", .type = SETTING_TAGS, .offset = IN(model.tags),
	 .help = "constant tags of all metrics of this input"},
	{.key = "mode", .type = SETTING_MODE, .offset = IN(settings.mode), .fallback = "0620",
	 .help = "fifo, unix, unixstream: who may write"},
	{.key = "group", .type = SETTING_STRING, .offset = IN(settings.group), .shown = "unchanged",
	 .help = "fifo: the pipe's group, a name or a number"},
	{.key = "allow_from", .type = SETTING_OWN, .read = read_allow_from, .print = print_allow_from,
	 .takes = "list of networks, or any", .shown = "none; required off loopback",
	 .help = "udp, tcp: who may send; required off loopback"},
	{.key = "receive_buffer", .type = SETTING_BYTES, .offset = IN(settings.receive_buffer), .min = 1,
	 .max = 1 << 30, .fallback = "4MiB", .help = "udp, unix: the socket's buffer"},
	{.key = "max_connections", .type = SETTING_COUNT, .offset = IN(settings.max_connections), .min = 1,
	 .max = 4096, .fallback = "64", .help = "tcp, unixstream: connections at a time"},
};

const struct table input_table = {"an input", "inputs[]", input_settings, ARRAY_LEN(input_settings)};

#define ON(transport) (1U << TRANSPORT_##transport)

/* Keys that only some transports take. */
static const struct {
	const char *key;
	unsigned transports;
	const char *names;
} input_only[] = {
	{"mode", ON(FIFO) | ON(UNIX) | ON(UNIXSTREAM), "fifo, unix and unixstream"},
	{"group", ON(FIFO), "fifo"},
	{"allow_from", ON(UDP) | ON(TCP), "udp and tcp"},
	{"receive_buffer", ON(UDP) | ON(UNIX), "udp and unix"},
	{"max_connections", ON(TCP) | ON(UNIXSTREAM), "tcp and unixstream"},
};

bool input_takes(const struct setting *setting, const void *target)
{
	const struct endpoint *endpoint = &((const struct input_entry *)target)->settings.endpoint;
	if (endpoint->is_abstract && strcmp(setting->key, "mode") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(input_only); i++)
		if (strcmp(setting->key, input_only[i].key) == 0)
			return input_only[i].transports >> endpoint->transport & 1;
	return true;
}

static void input_check(struct reader *reader, const struct node *node, const struct input_entry *entry)
{
	const struct endpoint *endpoint = &entry->settings.endpoint;
	const struct node_entry *given;
	for (size_t i = 0; i < ARRAY_LEN(input_only); i++) {
		given = node_find(node, input_only[i].key);
		if (given && !(input_only[i].transports >> endpoint->transport & 1))
			fault(reader->problems, given->key->mark, "`%s` has no meaning for `%s`: it belongs to %s",
			      input_only[i].key, endpoint->url, input_only[i].names);
	}
	given = node_find(node, "mode");
	if (given && endpoint->is_abstract)
		fault(reader->problems, given->key->mark, "`mode` has no meaning for `%s`: an abstract name has none",
		      endpoint->url);
}

static void input_check_open(struct reader *reader, const struct input_entry *entry)
{
	const struct endpoint *endpoint = &entry->settings.endpoint;
	bool is_guarded = entry->settings.allow_from_any || entry->settings.allow_from;
	if (endpoint->host && !network_is_loopback(endpoint->host) && !is_guarded)
		fault(reader->problems, entry->mark,
		      "`%s` listens beyond this machine: say who may send, `allow_from: [10.0.0.0/8]` or `allow_from: "
		      "any`",
		      endpoint->url);
}

static void input_add(struct settings *settings, const struct input_entry *entry)
{
	struct input_settings *input = &settings->inputs[settings->input_count];
	struct input_model *model = &settings->model.inputs[settings->input_count];
	*input = entry->settings;
	*model = entry->model;
	if (!input->label)
		input->label = input->endpoint.url;
	model->label = (struct text){span_of(input->label), entry->mark};
	settings->model.input_count = ++settings->input_count;
}

static void inputs_room(struct reader *reader, struct settings *settings)
{
	if (settings->inputs)
		return;
	settings->inputs = arena_array(reader->arena, INPUTS_MAX, sizeof(*settings->inputs));
	settings->model.inputs = arena_array(reader->arena, INPUTS_MAX, sizeof(*settings->model.inputs));
}

/* Whether one more fits; what does not is said once. */
static bool inputs_take(struct reader *reader, struct settings *settings, struct mark mark)
{
	inputs_room(reader, settings);
	if (settings->input_count < INPUTS_MAX)
		return true;
	fault(reader->problems, mark, "more than %d inputs", INPUTS_MAX);
	return false;
}

void input_from_url(struct reader *reader, struct settings *settings, struct text url)
{
	struct input_entry entry = {.mark = url.mark};
	if (!inputs_take(reader, settings, url.mark))
		return;
	table_defaults(reader, &input_table, &entry);
	input_url(reader, &url, &entry);
	if (!entry.settings.endpoint.url)
		return;
	input_check_open(reader, &entry);
	input_add(settings, &entry);
}

static void read_input(struct reader *reader, struct settings *settings, const struct node *node)
{
	struct input_entry entry = {.mark = node->mark};
	if (!inputs_take(reader, settings, node->mark))
		return;
	table_defaults(reader, &input_table, &entry);
	(void)table_read(reader, &input_table, node, &entry);
	if (!entry.settings.endpoint.url)
		return;
	input_check(reader, node, &entry);
	if (!node->is_cut)
		input_check_open(reader, &entry);
	input_add(settings, &entry);
}

void read_inputs(struct reader *reader, const struct node *node, void *target)
{
	struct settings *settings = target;
	struct text url;
	settings->input_count = settings->model.input_count = 0;
	if (node->kind == NODE_SCALAR && value_text(reader, "inputs", node, &url)) {
		input_from_url(reader, settings, url);
		return;
	}
	if (node->kind == NODE_SCALAR || !value_is_list(reader, "inputs", node))
		return;
	inputs_room(reader, settings);
	if (node->count == 0 && !node->is_cut)
		fault(reader->problems, node->mark, "`inputs` needs at least one; leave it out for the default ones");
	for (size_t i = 0; i < node->count; i++) {
		const struct node *item = node->items[i];
		if (item->kind == NODE_MAP &&
		    (item->count != 1 || table_find(&input_table, item->entries[0].key->raw) ||
		     !value_unquoted(reader, item)))
			read_input(reader, settings, item);
		else if (item->kind != NODE_MAP && value_text(reader, "inputs", item, &url))
			input_from_url(reader, settings, url);
	}
}

static bool is_same_address(const struct endpoint *a, const struct endpoint *b)
{
	if (a->transport != b->transport || a->is_abstract != b->is_abstract)
		return false;
	if (a->path)
		return strcmp(a->path, b->path) == 0;
	return !a->host || (strcmp(a->host, b->host) == 0 && a->port == b->port && a->port != 0);
}

void inputs_check(struct reader *reader, const struct settings *settings)
{
	for (size_t i = 1; i < settings->input_count; i++) {
		const struct input_settings *input = &settings->inputs[i];
		struct mark mark = settings->model.inputs[i].label.mark;
		for (size_t k = 0; k < i; k++) {
			if (is_same_address(&input->endpoint, &settings->inputs[k].endpoint))
				fault(reader->problems, mark, "the input `%s` stands here twice", input->endpoint.url);
			else if (strcmp(input->label, settings->inputs[k].label) == 0)
				fault(reader->problems, mark, "two inputs have the name `%s`: give each its own",
				      input->label);
		}
	}
}
