/* The maps that only the own file may hold: inputs, outputs and what concerns the agent itself. */
#ifndef STATSIDECAR_SETTINGS_PORTS_H
#define STATSIDECAR_SETTINGS_PORTS_H

#include "settings/settings.h"
#include "settings/table.h"

#define PORT_INPUT  8127
#define PORT_OUTPUT 8125
#define PORT_ADMIN  8128

/* An entry of inputs: and of outputs: as its table describes it; later the two halves go to different arrays. */
struct input_entry {
	struct input_settings settings;
	struct input_model model;
	struct mark mark;
};

struct output_entry {
	struct output_settings settings;
	struct output_model model;
};

/* What only the own file may hold; the target is a struct settings. */
extern const struct table settings_table;
extern const struct table input_table;
extern const struct table output_table;
extern const struct table limits_table;
extern const struct table admin_table;
extern const struct table telemetry_table;
extern const struct table log_table;

/* Rows of settings_table; target is a struct settings. */
void read_inputs(struct reader *reader, const struct node *node, void *target);
void read_outputs(struct reader *reader, const struct node *node, void *target);

/* Whether a key has a meaning for that entry's transport or dialect; target is a struct input_entry or output_entry. */
bool input_takes(const struct setting *setting, const void *target);
bool output_takes(const struct setting *setting, const void *target);

/* One URL from the command line, or that stands by default. mark says where it came from. */
void input_from_url(struct reader *reader, struct settings *settings, struct text url);
void output_from_url(struct reader *reader, struct settings *settings, struct text url);
/* Two inputs of one address, two of one label. */
void inputs_check(struct reader *reader, const struct settings *settings);
void outputs_check(struct reader *reader, const struct settings *settings);

/* Outputs where the configuration has none: DD_DOGSTATSD_URL, DD_AGENT_HOST, STATSD_HOST, else the default. */
void environment_outputs(struct reader *reader, struct settings *settings);
/* Tags and suffix of one DogStatsD output: DD_ENV and its like, origin, cardinality. */
void environment_apply(struct reader *reader, struct output_settings *settings, struct output_model *model);

#endif
