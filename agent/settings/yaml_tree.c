#include "settings/yaml_tree.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/bounds.h"
#include "settings/fault.h"
#include "settings/yaml_mend.h"

/* Deeper than any configuration; keeps the recursion over nodes shallow. */
#define DEPTH_MAX 64

struct anchor {
	struct span name;
	struct node *node; /* NULL while its node is still open: an alias to it would be a circle */
	struct anchor *next;
};

struct builder {
	yaml_parser_t parser;
	const struct mended *mended;
	const char *file;
	struct arena *arena;
	struct problems *problems;
	struct anchor *anchors; /* the latest first: a name may be used again */
	uint64_t aliased; /* nodes that aliases stood for so far */
	uint32_t depth;
	bool is_over;   /* nothing more is read */
	bool is_broken; /* because it is no YAML */
};

static struct node *build_node(struct builder *builder, yaml_event_t *event);

static struct mark mark_of(const struct builder *builder, yaml_mark_t mark)
{
	return (struct mark){builder->file, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

/* The next event, which the caller deletes; false at the end of what can be read. */
static bool build_next(struct builder *builder, yaml_event_t *event)
{
	if (builder->is_over)
		return false;
	if (!yaml_parser_parse(&builder->parser, event)) {
		if (builder->parser.error == YAML_MEMORY_ERROR)
			arena_exhausted();
		builder->is_over = builder->is_broken = true; /* yaml_mend() reports it */
		return false;
	}
	return true;
}

/* What is written is bounded by the file's size; what aliases make of it is not. */
static void build_count(struct builder *builder, struct mark mark, uint32_t weight)
{
	builder->aliased += weight;
	if (builder->aliased > YAML_NODES_MAX && !builder->is_over) {
		fault(builder->problems, mark, "aliases stand for more than %d nodes: use fewer, or smaller, ones", YAML_NODES_MAX);
		builder->is_over = true;
	}
}

static struct node *build_new(struct builder *builder, const yaml_event_t *event, enum node_kind kind)
{
	struct node *node = arena_alloc(builder->arena, sizeof(*node));
	node->kind = kind;
	node->mark = mark_of(builder, event->start_mark);
	node->weight = 1;
	return node;
}

/* An anchor's place is taken before its node is read, so that an alias inside it is seen to be a circle. */
static struct anchor *build_anchor(struct builder *builder, const yaml_char_t *name)
{
	if (!name)
		return NULL;
	struct anchor *anchor = arena_alloc(builder->arena, sizeof(*anchor));
	anchor->name = arena_copy(builder->arena, span_of((const char *)name));
	anchor->next = builder->anchors;
	builder->anchors = anchor;
	return anchor;
}

static void build_refuse_tag(struct builder *builder, struct node *node, const yaml_char_t *tag)
{
	static const char core[] = "tag:yaml.org,2002:";
	const char *name = (const char *)tag;
	if (!name)
		return;
	node->is_faulty = true;
	if (strncmp(name, core, sizeof(core) - 1) == 0)
		fault(builder->problems, node->mark,
		      "tags such as !!%s are not read: the key decides the type; quote a text",
		      name + sizeof(core) - 1);
	else
		fault(builder->problems, node->mark,
		      "a text that begins with ! must stand in quotes: \"%s%s%.*s\" (tags are not read)", name,
		      node->raw.len ? " " : "", FAULT_ARG(node->raw));
}

static bool is_mended(const struct builder *builder, const yaml_event_t *event)
{
	for (size_t i = 0; i < builder->mended->place_count; i++)
		if (builder->mended->places[i] >= event->start_mark.index &&
		    builder->mended->places[i] < event->end_mark.index)
			return true;
	return false;
}

static struct node *build_scalar(struct builder *builder, const yaml_event_t *event)
{
	struct node *node = build_new(builder, event, NODE_SCALAR);
	struct anchor *anchor = build_anchor(builder, event->data.scalar.anchor);
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->raw = arena_copy(builder->arena,
	                       (struct span){(const char *)event->data.scalar.value, event->data.scalar.length});
	node->text = node->raw;
	node->is_faulty = is_mended(builder, event);
	if (memchr(node->raw.at, 0, node->raw.len)) {
		node->is_faulty = true;
		fault(builder->problems, node->mark, "a text must not hold the character 0");
	}
	build_refuse_tag(builder, node, event->data.scalar.tag);
	if (anchor)
		anchor->node = node;
	return node;
}

static struct node *build_alias(struct builder *builder, const yaml_event_t *event)
{
	struct span name = span_of((const char *)event->data.alias.anchor);
	struct mark mark = mark_of(builder, event->start_mark);
	struct anchor *anchor = builder->anchors;
	while (anchor && !span_equal(anchor->name, name))
		anchor = anchor->next;
	if (anchor && anchor->node) {
		build_count(builder, mark, anchor->node->weight);
		return anchor->node;
	}
	if (anchor)
		fault(builder->problems, mark, "`*%.*s` stands inside of what it names", FAULT_ARG(name));
	else
		fault(builder->problems, mark,
		      "a text that begins with * must stand in quotes: \"*%.*s\" (no anchor has that name)",
		      FAULT_ARG(name));
	struct node *node = build_new(builder, event, NODE_SCALAR);
	node->raw = node->text = arena_copy(builder->arena, name);
	node->is_faulty = true;
	return node;
}

/* Doubles an array of the arena when it is full. */
static void *build_grow(struct builder *builder, void *items, size_t count, size_t size)
{
	if (count != 0 && (count < 8 || (count & (count - 1)) != 0))
		return items;
	void *grown = arena_array(builder->arena, count == 0 ? 8 : count * 2, size);
	if (count)
		memcpy(grown, items, count * size);
	return grown;
}

static struct node *build_list(struct builder *builder, const yaml_event_t *start)
{
	struct node *list = build_new(builder, start, NODE_LIST);
	struct anchor *anchor = build_anchor(builder, start->data.sequence_start.anchor);
	yaml_event_t event;
	list->is_flow = start->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	build_refuse_tag(builder, list, start->data.sequence_start.tag);
	while (build_next(builder, &event)) {
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			if (anchor)
				anchor->node = list;
			return list;
		}
		struct node *item = build_node(builder, &event);
		if (!item)
			break;
		list->items = build_grow(builder, list->items, list->count, sizeof(*list->items));
		list->items[list->count++] = item;
		list->weight += item->weight;
	}
	list->is_cut = true;
	return list;
}

static bool map_has(const struct node *map, struct span key, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (span_equal(map->entries[i].key->raw, key))
			return true;
	return false;
}

static void map_add(struct builder *builder, struct node *map, struct node_entry entry)
{
	map->entries = build_grow(builder, map->entries, map->count, sizeof(*map->entries));
	map->entries[map->count++] = entry;
}

/* `<<: *base` or `<<: [*a, *b]`: what the map does not say itself, the first that says it counts. */
static void map_merge(struct builder *builder, struct node *map, const struct node *source)
{
	if (source->kind == NODE_LIST) {
		for (size_t i = 0; i < source->count; i++) {
			if (source->items[i]->kind == NODE_MAP)
				map_merge(builder, map, source->items[i]);
			else
				fault(builder->problems, source->items[i]->mark,
				      "`<<` takes maps: write *NAME of an anchored map");
		}
	} else if (source->kind == NODE_MAP) {
		for (size_t i = 0; i < source->count; i++)
			if (!map_has(map, source->entries[i].key->raw, map->count))
				map_add(builder, map, source->entries[i]);
	} else if (!source->is_faulty) {
		fault(builder->problems, source->mark,
		      "`<<` takes a map or a list of maps: write *NAME of an anchored map");
	}
}

/* What a merge brings stands where `<<` does: the order of tags is that of the file. */
static void map_merge_at(struct builder *builder, struct node *map, const struct node *source, size_t place)
{
	const size_t own_count = map->count, behind = own_count - place;
	map_merge(builder, map, source);
	const size_t merged = map->count - own_count;
	if (merged == 0 || behind == 0)
		return;
	struct node_entry *own = arena_array(builder->arena, behind, sizeof(*own));
	memcpy(own, map->entries + place, behind * sizeof(*own));
	memmove(map->entries + place, map->entries + own_count, merged * sizeof(*own));
	memcpy(map->entries + place + merged, own, behind * sizeof(*own));
}

/* Whether key can stand as one; *is_merge: it is `<<`. */
static bool build_key_check(struct builder *builder, const struct node *map, const struct node *key)
{
	if (key->kind != NODE_SCALAR) {
		fault(builder->problems, key->mark,
		      "a key must be a text: one that begins with { or [ must stand in quotes");
		return false;
	}
	for (size_t i = 0; i < map->count; i++) {
		if (!span_equal(map->entries[i].key->raw, key->raw))
			continue;
		fault(builder->problems, key->mark, "the key `%.*s` stands here twice: line %u has it already",
		      FAULT_ARG(key->raw), map->entries[i].key->mark.line);
		break;
	}
	return true;
}

static struct node *build_map(struct builder *builder, const yaml_event_t *start)
{
	struct node *map = build_new(builder, start, NODE_MAP), *merge = NULL;
	size_t merge_place = 0;
	struct anchor *anchor = build_anchor(builder, start->data.mapping_start.anchor);
	yaml_event_t event;
	map->is_flow = start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	map->is_cut = true;
	build_refuse_tag(builder, map, start->data.mapping_start.tag);
	while (build_next(builder, &event)) {
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			map->is_cut = false;
			break;
		}
		struct node *key = build_node(builder, &event);
		if (!key || !build_next(builder, &event))
			break;
		struct node *value = build_node(builder, &event);
		if (!value)
			break;
		map->weight += key->weight + value->weight;
		if (key->kind == NODE_SCALAR && key->is_plain && span_is(key->raw, "<<")) {
			if (merge)
				fault(builder->problems, key->mark, "`<<` stands here twice: write a list, <<: [*A, *B]");
			merge = value;
			merge_place = map->count;
		} else if (build_key_check(builder, map, key)) {
			map_add(builder, map, (struct node_entry){key, value});
		}
	}
	if (merge)
		map_merge_at(builder, map, merge, merge_place);
	if (anchor && !map->is_cut)
		anchor->node = map;
	return map;
}

static void release_event(void *event)
{
	yaml_event_delete(event);
}

static void release_parser(void *parser)
{
	yaml_parser_delete(parser);
}

static void release_problems(void *problems)
{
	problems_fini(problems);
}

/* Takes the event over. NULL where no node begins with it, or none may. */
static struct node *build_node(struct builder *builder, yaml_event_t *event)
{
	struct node *node = NULL;
	struct arena_guard guard;
	arena_guard(&guard, release_event, event);
	if (++builder->depth > DEPTH_MAX && !builder->is_over) {
		fault(builder->problems, mark_of(builder, event->start_mark), "nested more than %d deep", DEPTH_MAX);
		builder->is_over = true;
	} else if (event->type == YAML_SCALAR_EVENT) {
		node = build_scalar(builder, event);
	} else if (event->type == YAML_ALIAS_EVENT) {
		node = build_alias(builder, event);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		node = build_list(builder, event);
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		node = build_map(builder, event);
	}
	builder->depth--;
	arena_unguard(&guard);
	yaml_event_delete(event);
	return node;
}

static struct node *build_document(struct builder *builder)
{
	struct node *root = NULL;
	yaml_event_t event;
	uint32_t documents = 0;
	while (build_next(builder, &event)) {
		if (event.type == YAML_DOCUMENT_START_EVENT && ++documents == 2) {
			fault(builder->problems, mark_of(builder, event.start_mark),
			      "a second document begins here: a configuration is one document; use `include` for "
			      "further files");
			builder->is_over = true;
		}
		if (event.type == YAML_STREAM_END_EVENT)
			builder->is_over = true;
		if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
		    event.type == YAML_MAPPING_START_EVENT || event.type == YAML_ALIAS_EVENT)
			root = build_node(builder, &event);
		else
			yaml_event_delete(&event);
	}
	return root && !node_is_nothing(root) ? root : NULL;
}

/* Whether the document could be read to its end; *root is what there is of it. */
static bool build_tree(struct builder *builder, struct span text, struct node **root)
{
	struct arena_guard guard;
	if (!yaml_parser_initialize(&builder->parser))
		arena_exhausted();
	arena_guard(&guard, release_parser, &builder->parser);
	yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder->parser, (const unsigned char *)text.at, text.len);
	*root = build_document(builder);
	arena_unguard(&guard);
	yaml_parser_delete(&builder->parser);
	return !builder->is_broken;
}

struct node *yaml_tree_read(struct span text, const char *file, struct arena *arena, struct problems *problems)
{
	struct node *root;
	struct mended mended = {.place_count = 0};
	struct problems first = {0};
	if (span_starts(text, SPAN("\xEF\xBB\xBF")))
		text = span_skip(text, 3);
	struct builder builder = {.mended = &mended, .file = file, .arena = arena, .problems = &first};
	struct arena_guard guard;
	arena_guard(&guard, release_problems, &first);
	if (build_tree(&builder, text, &root)) {
		for (size_t i = 0; i < first.count; i++)
			fault(problems, first.items[i].mark, "%s", first.items[i].text);
	} else {
		/* Once more, mended; what was found up to there is found again. */
		yaml_mend(&mended, text, file, arena, problems);
		builder = (struct builder){.mended = &mended, .file = file, .arena = arena, .problems = problems};
		(void)build_tree(&builder, mended.text, &root);
	}
	arena_unguard(&guard);
	problems_fini(&first);
	return root;
}

const struct node_entry *node_find(const struct node *map, const char *key)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (span_is(map->entries[i].key->raw, key))
			return &map->entries[i];
	return NULL;
}
