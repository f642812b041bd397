/* ${NAME}, ${env:NAME}, ${NAME:-default} and $$ in the scalar values of a tree, once, after the YAML was read, so that
 * no value can add structure. Keys stay as they are. A variable that is unset, or empty, without a default is a fault.
 * Where a scalar has a $1 or ${1}, node->capture tells it: whoever reads a template gives the hint to write {1}. */
#ifndef STATSIDECAR_SETTINGS_EXPAND_H
#define STATSIDECAR_SETTINGS_EXPAND_H

#include "settings/yaml_tree.h"

void expand_tree(struct node *node, struct arena *arena, struct problems *problems);

#endif
