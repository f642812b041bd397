/* Node -> value, for what several maps share. Each reports what does not fit, with what to write, and answers whether
 * it could read the value; a node whose text is known to be faulty is refused without a word. name is the key, for
 * messages. */
#ifndef STATSIDECAR_SETTINGS_VALUE_H
#define STATSIDECAR_SETTINGS_VALUE_H

#include "map/model.h"
#include "settings/table.h"

bool value_text(struct reader *reader, const char *name, const struct node *node, struct text *text);
/* A text in which $1 stands for no capture: {1} does. */
bool value_template(struct reader *reader, const char *name, const struct node *node, struct text *text);
/* A map that was meant as a text, `{field}` or `stdin:` without quotes: whether it was, and is reported. */
bool value_unquoted(struct reader *reader, const struct node *node);
/* A list of texts, or one text alone. Items that are no texts are left out. */
bool value_texts(struct reader *reader, const char *name, const struct node *node, struct texts *texts);
/* Nothing, null and ~ are refused without a word: they stand for an empty map or list. */
bool value_is_map(struct reader *reader, const char *name, const struct node *node);
bool value_is_list(struct reader *reader, const char *name, const struct node *node);

/* A map of texts, or nothing. */
typedef bool value_reader(struct reader *reader, const char *name, const struct node *node, struct text *text);
bool value_tags(struct reader *reader, const char *name, const struct node *node, struct tags_model *tags,
                value_reader *read);

/* The scalar's text is one of the words: its index, or -1 after a report with the nearest one. */
int value_choice(struct reader *reader, const char *name, const struct node *node, const char *const *choices);
int value_choice_text(struct reader *reader, const char *name, const struct text *text, const char *const *choices);

struct text value_key(const struct node *key);

/* What a node is, in a word, for messages. */
const char *value_kind(const struct node *node);

#endif
