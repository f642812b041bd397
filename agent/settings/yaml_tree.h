/* One YAML document -> a tree of nodes, each with its place. Anchors, aliases and `<<` are resolved here: an aliased
 * node is shared, so the tree is a graph without cycles; what all aliases stand for is bounded by YAML_NODES_MAX. Everything that is no YAML, or YAML that configurations do not have (tags, several documents, repeated keys,
 * keys that are no texts), is a fault; reading goes on behind it wherever that makes sense.
 *
 * Ownership: nodes and texts live in the arena; file is borrowed by every mark. */
#ifndef STATSIDECAR_SETTINGS_YAML_TREE_H
#define STATSIDECAR_SETTINGS_YAML_TREE_H

#include "base/arena.h"
#include "base/problem.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node;

struct node_entry {
	struct node *key; /* a scalar; raw is what it says */
	struct node *value;
};

struct node {
	enum node_kind kind;
	struct mark mark;
	uint32_t weight;            /* nodes in it, itself included, aliases counted as often as they are used */
	bool is_plain;              /* scalar: without quotes */
	bool is_flow;               /* list, map: [ ] or { } */
	bool is_cut;                /* the document broke off inside of it: what is missing may only be unread */
	bool is_faulty;             /* a fault of its text was reported: whoever would read it need not complain */
	bool is_expanded;           /* expand_tree() was here */
	char capture;               /* scalar: the digit of an unexpanded $1 or ${1}, else 0 */
	struct span raw;            /* scalar: as written */
	struct span text;           /* scalar: after expand_tree() */
	struct node **items;        /* list */
	struct node_entry *entries; /* map: as written, then what `<<` brought; a repeated key stands there twice */
	size_t count;
};

/* NULL where the document is empty or nothing of it could be read. */
struct node *yaml_tree_read(struct span text, const char *file, struct arena *arena, struct problems *problems);

/* The first entry with that key, or NULL. */
const struct node_entry *node_find(const struct node *map, const char *key);

/* Nothing at all, as behind `key:`. */
static inline bool node_is_nothing(const struct node *node)
{
	return node->kind == NODE_SCALAR && node->is_plain && node->raw.len == 0;
}

#endif
