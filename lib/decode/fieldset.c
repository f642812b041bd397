#include "decode/fieldset.h"

void fieldset_init(struct fieldset *set, struct arena *arena)
{
	set->nodes = arena_array(arena, LOCATIONS_MAX, sizeof(*set->nodes));
	set->count = 1;
	set->nodes[0].index = UINT32_MAX;
}

/* `0`, `12`, but not `01`: what a path may call an array's element. */
static uint32_t key_index(struct span key)
{
	uint32_t index = 0;
	if (key.len == 0 || key.len > 9 || (key.len > 1 && key.at[0] == '0'))
		return UINT32_MAX;
	for (size_t i = 0; i < key.len; i++) {
		if (key.at[i] < '0' || key.at[i] > '9')
			return UINT32_MAX;
		index = index * 10 + (uint32_t)(key.at[i] - '0');
	}
	return index;
}

static uint16_t add_child(struct fieldset *set, uint16_t parent, struct span key)
{
	for (uint32_t i = 1; i < set->count; i++) {
		const struct fieldset_node *node = &set->nodes[i];
		if (node->parent == parent && span_equal((struct span){node->key, node->key_len}, key))
			return (uint16_t)i;
	}
	if (set->count == LOCATIONS_MAX)
		return FIELDSET_NONE;
	struct fieldset_node *node = &set->nodes[set->count];
	*node = (struct fieldset_node){
		.key = key.at, .key_len = (uint32_t)key.len, .parent = parent, .index = key_index(key)};
	memcpy(&node->head, key.at, key.len < 8 ? key.len : 8);
	if (key.len < 8)
		node->tail = node->head;
	else
		memcpy(&node->tail, key.at + key.len - 8, 8);
	set->nodes[parent].child_count++;
	if (node->index != UINT32_MAX)
		set->nodes[parent].has_index_children = true;
	return (uint16_t)set->count++;
}

uint16_t fieldset_add(struct fieldset *set, const struct span *keys, size_t count)
{
	uint16_t location = 0;
	for (size_t i = 0; i < count; i++) {
		location = add_child(set, location, keys[i]);
		if (location == FIELDSET_NONE)
			return FIELDSET_NONE;
	}
	return location;
}

static bool is_below(const struct fieldset *set, uint32_t location, uint32_t top)
{
	while (location != 0) {
		location = set->nodes[location].parent;
		if (location == top)
			return true;
	}
	return false;
}

static void build_table(struct fieldset *set, uint32_t top, struct arena *arena)
{
	struct fieldset_node *node = &set->nodes[top];
	unsigned bits = 2;
	while ((1u << bits) < 2u * node->child_count + 1)
		bits++;
	node->table_shift = (uint8_t)(64 - bits);
	node->table = arena_array(arena, (size_t)1 << bits, sizeof(*node->table));
	for (uint32_t i = 1; i < set->count; i++) {
		const struct fieldset_node *child = &set->nodes[i];
		if (child->parent != top)
			continue;
		uint64_t slot = fieldset_hash(child->head, child->tail, child->key_len) >> node->table_shift;
		while (node->table[slot] != FIELDSET_NONE)
			slot = (slot + 1) & ((1u << bits) - 1);
		node->table[slot] = (uint16_t)i;
	}
}

static uint16_t at_top(const struct fieldset *set, struct span key)
{
	char text[SCAN_PAD] = {0}; /* looked up by loads of eight bytes */
	memcpy(text, key.at, key.len);
	return fieldset_child(set, &set->nodes[0], text, (uint32_t)key.len);
}

void fieldset_seal(struct fieldset *set, struct arena *arena)
{
	for (uint32_t top = 0; top < set->count; top++) {
		struct fieldset_node *node = &set->nodes[top];
		if (node->child_count == 0 && top != 0)
			continue;
		build_table(set, top, arena);
		for (uint32_t i = 1; i < set->count; i++)
			node->below_count = (uint16_t)(node->below_count + is_below(set, i, top));
		node->below = arena_array(arena, node->below_count, sizeof(*node->below));
		uint16_t *below = node->below;
		for (uint32_t i = 1; i < set->count; i++)
			if (is_below(set, i, top))
				*below++ = (uint16_t)i;
	}
	set->statsd = (struct fieldset_statsd){at_top(set, SPAN("value")), at_top(set, SPAN("type")), at_top(set, SPAN("rate"))};
}

uint16_t fieldset_element(const struct fieldset *set, const struct fieldset_node *node, uint32_t index)
{
	if (!node->has_index_children)
		return FIELDSET_NONE;
	for (uint16_t i = 0; i < node->below_count; i++) {
		const struct fieldset_node *child = &set->nodes[node->below[i]];
		if (child->index == index && &set->nodes[child->parent] == node)
			return node->below[i];
	}
	return FIELDSET_NONE;
}
