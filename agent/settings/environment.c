/* What the environment says of outputs: where they go, and whose metrics they are.
 *
 *     name:1|c|#…,env:prod,dd.internal.entity_id:UID|c:ci-ID|e:it-false,cn-web,pu-UID|card:low
 *              tags behind all others                ^ suffix, ready for the wire                 */
#include <stdlib.h>
#include <strings.h>

#include "settings/container_id.h"
#include "settings/fault.h"
#include "settings/ports.h"

/* An empty variable counts as unset. */
static const char *environment_get(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	return digits > 0 && digits <= 5 && text[digits] == 0 && atoi(text) <= 65535;
}

static void output_from_host(struct reader *reader, struct settings *settings, const char *host_name,
                             const char *port_name)
{
	const char *host = environment_get(host_name), *port = environment_get(port_name);
	bool is_address = strchr(host, ':') && host[0] != '[';
	struct text url = {arena_printf(reader->arena, "udp://%s%s%s:%s", is_address ? "[" : "", host,
	                                is_address ? "]" : "", port ? port : "8125"),
	                   {port && !is_port(port) ? port_name : host_name, 0, 0}};
	output_from_url(reader, settings, url);
}

void environment_outputs(struct reader *reader, struct settings *settings)
{
	const char *url = environment_get("DD_DOGSTATSD_URL");
	if (url) {
		output_from_url(reader, settings,
		                (struct text){arena_copy(reader->arena, span_of(url)), {"DD_DOGSTATSD_URL", 0, 0}});
	} else if (environment_get("DD_AGENT_HOST")) {
		output_from_host(reader, settings, "DD_AGENT_HOST", "DD_DOGSTATSD_PORT");
	} else if (environment_get("STATSD_HOST")) {
		output_from_host(reader, settings, "STATSD_HOST", "STATSD_PORT");
		if (settings->output_count)
			settings->model.outputs[0].dialect = DIALECT_STATSD;
	} else {
		output_from_url(reader, settings, (struct text){SPAN("udp://127.0.0.1:8125"), {"default", 0, 0}});
	}
	for (size_t i = 0; i < settings->output_count; i++)
		settings->outputs[i].is_default = true;
}

static void tag_add(struct reader *reader, struct output_model *model, struct span key, struct span value)
{
	for (size_t i = 0; i < model->tags.count; i++)
		if (span_equal(model->tags.items[i].key.span, key))
			return;
	struct mark mark = {"environment", 0, 0};
	model->tags.items[model->tags.count++] =
		(struct tag_model){{arena_copy(reader->arena, key), mark}, {arena_copy(reader->arena, value), mark}};
}

/* `team:shop,tier:1`, or with blanks, as the Agent's containers take it: `team:shop tier:1`. What has no colon is no tag with
 * a value, and is left out. */
static void tags_add_list(struct reader *reader, struct output_model *model, const char *list)
{
	const char *separator = strchr(list, ',') ? "," : " ";
	while (*list) {
		struct span item = {list, strcspn(list, separator)};
		list += item.len + (list[item.len] != 0);
		while (item.len && item.at[0] == ' ')
			item = span_skip(item, 1);
		while (item.len && item.at[item.len - 1] == ' ')
			item.len--;
		const char *colon = item.len ? memchr(item.at, ':', item.len) : NULL;
		if (colon && colon > item.at)
			tag_add(reader, model, (struct span){item.at, (size_t)(colon - item.at)},
			        span_skip(item, (size_t)(colon - item.at) + 1));
	}
}

static void environment_tags(struct reader *reader, struct output_model *model, bool has_entity)
{
	static const char *const names[][2] = {{"DD_ENV", "env"}, {"DD_SERVICE", "service"}, {"DD_VERSION", "version"}};
	const char *list = environment_get("DD_TAGS"), *entity = environment_get("DD_ENTITY_ID");
	size_t room = ARRAY_LEN(names) + 2;
	for (const char *at = list; at && *at; at++)
		room += *at == ',' || *at == ' ';
	model->tags.items = arena_array(reader->arena, room, sizeof(*model->tags.items));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = environment_get(names[i][0]);
		if (value)
			tag_add(reader, model, span_of(names[i][1]), span_of(value));
	}
	if (list)
		tags_add_list(reader, model, list);
	if (has_entity && entity)
		tag_add(reader, model, SPAN("dd.internal.entity_id"), span_of(entity));
}

/* Nothing that could end the field or the line. */
static const char *environment_printable(struct reader *reader, const char *value)
{
	char *out = arena_alloc(reader->arena, strlen(value) + 1);
	size_t len = 0;
	for (; *value; value++)
		if (*value > ' ' && *value < 127 && *value != '|')
			out[len++] = *value;
	return out;
}

static struct span origin_suffix(struct reader *reader, struct output_settings *settings)
{
	const char *entity = environment_get("DD_ENTITY_ID"), *external = environment_get("DD_EXTERNAL_ENV");
	switch (settings->origin) {
	case ORIGIN_DEFAULT:
	case ORIGIN_OFF:
		break;
	case ORIGIN_POD:
		settings->origin_is_unknown = !entity;
		break;
	case ORIGIN_CONTAINER:
		settings->origin_is_unknown = !entity;
		if (entity)
			return arena_printf(reader->arena, "|e:it-false,cn-%s,pu-%s", settings->origin_container,
			                    environment_printable(reader, entity));
		break;
	case ORIGIN_SELF: {
		char id[CONTAINER_ID_MAX];
		bool has_id = container_id_read(id, "") == 0;
		const char *clean = external ? environment_printable(reader, external) : "";
		settings->origin_is_unknown = !has_id && !*clean;
		return arena_printf(reader->arena, "%s%s%s%s", has_id ? "|c:" : "", has_id ? id : "",
		                    *clean ? "|e:" : "", clean);
	}
	}
	return SPAN("");
}

static const char *environment_cardinality(struct reader *reader)
{
	static const char *const names[] = {"none", "low", "orchestrator", "high"};
	const char *value = environment_get("DD_CARDINALITY");
	if (!value)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(value, names[i]) == 0)
			return names[i];
	fault(reader->problems, (struct mark){"DD_CARDINALITY", 0, 0}, "`%.80s`: write none, low, orchestrator or high",
	      value);
	return NULL;
}

void environment_apply(struct reader *reader, struct output_settings *settings, struct output_model *model)
{
	static const char *const names[] = {[CARDINALITY_NONE] = "none", "low", "orchestrator", "high"};
	if (model->dialect != DIALECT_DOGSTATSD)
		return;
	if (settings->origin == ORIGIN_DEFAULT)
		settings->origin = environment_get("DD_ENTITY_ID") ? ORIGIN_POD : ORIGIN_OFF;
	environment_tags(reader, model, settings->origin == ORIGIN_POD || settings->origin == ORIGIN_CONTAINER);
	struct span origin = origin_suffix(reader, settings);
	const char *cardinality = settings->cardinality == CARDINALITY_DEFAULT ? environment_cardinality(reader)
	                                                                       : names[settings->cardinality];
	model->suffix = arena_printf(reader->arena, "%.*s%s%s", SPAN_ARG(origin), cardinality ? "|card:" : "",
	                             cardinality ? cardinality : "");
}
