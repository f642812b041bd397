/* A reload: the new settings, mapping, accounts and translator are built whole beside the old ones, and what they name anew is
 * opened, before anything changes; a fault anywhere throws all of that away. Then:
 *
 *     drain   what removed inputs hold now is read, by the old rules; all else goes on by the old rules meanwhile
 *     swap    between two callbacks: counters, guards and lifecycles move over, one pointer changes
 *
 * Draining takes a few turns of the loop, and longer only where an output that blocks is full: then shutdown_grace at most.
 * A line whose reading has begun, and the rest of a batch that was stopped, are translated by the new rules. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent_inside.h"
#include "clock.h"
#include "leaving.h"
#include "notify.h"
#include "reload_faults.h"
#include "watch.h"

struct reload {
	struct agent *agent;
	struct watch *watch;
	struct rules *next; /* NULL: none is under way */
	struct input *inputs[INPUTS_MAX];    /* by their place in next; NULL: a default that cannot be opened */
	struct output *outputs[OUTPUTS_MAX]; /* likewise; NULL only before they are opened */
	bool input_is_kept[INPUTS_MAX];
	bool output_is_kept[OUTPUTS_MAX];
	struct input *removed[INPUTS_MAX];
	size_t removed_count;
	size_t prepared_count; /* parts */
	uint32_t old_line_max;
	uint64_t tried_digest; /* of the files that were tried last */
	bool is_wanted;        /* asked for once more while one was under way */
	struct event *swap;    /* made active once the removed inputs have ended */
	struct event *deadline;
	struct reload_faults faults;
};

static void reload_on_swap(evutil_socket_t fd, short what, void *context);
static void reload_on_deadline(evutil_socket_t fd, short what, void *context);
static void reload_on_changed(void *context);

/* Whether what was loaded is to be put in force; settings is NULL where nothing could be read. */
typedef bool reload_wish(const struct reload *reload, const struct settings *settings);
static reload_wish is_always_wanted;
static void reload_load(struct reload *reload, reload_wish *is_wanted);

struct reload *reload_new(struct agent *agent)
{
	struct reload *reload = calloc(1, sizeof *reload);

	if (reload == NULL)
		return NULL;
	reload->agent = agent;
	reload->tried_digest = agent->rules->settings->digest;
	reload->swap = event_new(agent->base, -1, 0, reload_on_swap, reload);
	reload->deadline = evtimer_new(agent->base, reload_on_deadline, reload);
	reload->watch = watch_new(agent->base, reload_on_changed, reload);
	if (reload->swap != NULL && reload->deadline != NULL && reload->watch != NULL)
		return reload;
	reload_free(reload);
	return NULL;
}

bool reload_is_under_way(const struct agent *agent)
{
	return agent->reload->next != NULL;
}

/* ---- what stays, what is new, what goes ---- */

static bool reload_keeps_input(const struct reload *reload, const struct input *input)
{
	for (size_t i = 0; i < reload->next->settings->input_count; i++) {
		if (reload->inputs[i] == input)
			return true;
	}
	return false;
}

static bool reload_keeps_output(const struct reload *reload, const struct output *output)
{
	for (size_t i = 0; i < reload->next->settings->output_count; i++) {
		if (reload->outputs[i] == output)
			return true;
	}
	return false;
}

static struct input *reload_find_input(const struct reload *reload, const struct input_settings *wanted)
{
	const struct agent *agent = reload->agent;
	struct input *found = NULL;

	for (size_t i = 0; i < agent->input_count; i++) {
		struct input *input = agent->inputs[i];

		if (!endpoint_is_same(&input->settings->endpoint, &wanted->endpoint) || reload_keeps_input(reload, input) ||
		    !input_is_in_place(input))
			continue;
		if (strcmp(input->settings->label, wanted->label) == 0)
			return input;
		if (found == NULL)
			found = input;
	}
	return found;
}

static struct output *reload_find_output(const struct reload *reload, const struct output_settings *wanted)
{
	const struct agent *agent = reload->agent;
	struct output *found = NULL;

	for (size_t i = 0; i < agent->output_count; i++) {
		struct output *output = agent->outputs[i];

		if (output->is_over || !endpoint_is_same(&output->settings->endpoint, &wanted->endpoint) ||
		    reload_keeps_output(reload, output))
			continue;
		if (strcmp(output->settings->label, wanted->label) == 0)
			return output;
		if (found == NULL)
			found = output;
	}
	return found;
}

/* An input that is to be removed may stand in the way of one that is to be opened: 127.0.0.1:8127 of 0.0.0.0:8127. */
static struct input *reload_find_obstacle(const struct reload *reload, const struct endpoint *wanted)
{
	const struct agent *agent = reload->agent;

	for (size_t i = 0; i < agent->input_count; i++) {
		const struct endpoint *endpoint = &agent->inputs[i]->settings->endpoint;

		if (endpoint->transport == wanted->transport && endpoint->port == wanted->port && endpoint->port != 0 &&
		    !reload_keeps_input(reload, agent->inputs[i]))
			return agent->inputs[i];
	}
	return NULL;
}

static struct input *reload_open_beside(struct reload *reload, size_t index, struct failure *failure)
{
	struct input_owner *owner = &reload->agent->input_owner;
	struct rules *next = reload->next;
	const struct input_settings *settings = &next->settings->inputs[index];
	struct input *obstacle = reload_find_obstacle(reload, &settings->endpoint);
	struct input *input;

	if (obstacle == NULL)
		return input_open(settings, (uint16_t)index, &next->accounts.inputs[index], owner, failure);
	owner->port_use = PORT_SHARED;
	input_use_port(obstacle, PORT_SHARED);
	input = input_open(settings, (uint16_t)index, &next->accounts.inputs[index], owner, failure);
	input_use_port(obstacle, PORT_ALONE);
	if (input != NULL)
		input_use_port(input, PORT_ALONE);
	owner->port_use = PORT_ALONE;
	return input;
}

static int reload_open_new_inputs(struct reload *reload, struct failure *failure)
{
	const struct settings *settings = reload->next->settings;
	size_t open_count = 0;

	for (size_t i = 0; i < settings->input_count; i++) {
		if (reload->inputs[i] == NULL)
			reload->inputs[i] = reload_open_beside(reload, i, failure);
		if (reload->inputs[i] == NULL && !settings->inputs[i].is_default)
			return -1;
		if (reload->inputs[i] == NULL)
			log_warn("input %s is left out: %s", settings->inputs[i].label, failure->text);
		else
			open_count++;
	}
	return open_count > 0 ? 0 : failure_set(failure, "no input could be opened");
}

static int reload_open_inputs(struct reload *reload, struct failure *failure)
{
	const struct settings *settings = reload->next->settings;

	for (size_t i = 0; i < settings->input_count; i++) {
		reload->inputs[i] = reload_find_input(reload, &settings->inputs[i]);
		reload->input_is_kept[i] = reload->inputs[i] != NULL;
	}
	for (size_t i = 0; i < settings->input_count; i++) {
		if (reload->input_is_kept[i] && input_prepare(reload->inputs[i], &settings->inputs[i],
		                                              reload->agent->input_owner.line_max, failure) < 0)
			return -1;
	}
	return reload_open_new_inputs(reload, failure);
}

static int reload_open_outputs(struct reload *reload, struct failure *failure)
{
	struct rules *next = reload->next;

	for (size_t i = 0; i < next->settings->output_count; i++) {
		const struct output_settings *settings = &next->settings->outputs[i];
		struct output *output = reload_find_output(reload, settings);

		reload->output_is_kept[i] = output != NULL;
		if (output == NULL)
			output = output_new(settings, &next->accounts.outputs[i], &reload->agent->output_owner, failure);
		if (output == NULL)
			return -1;
		reload->outputs[i] = output;
		next->packers[i] = &output->packer;
		if (reload->output_is_kept[i] && output_prepare(output, settings, failure) < 0)
			return -1;
	}
	return 0;
}

static int reload_prepare_parts(struct reload *reload, struct failure *failure)
{
	const struct agent *agent = reload->agent;

	for (; reload->prepared_count < agent->part_count; reload->prepared_count++) {
		const struct agent_part *part = &agent->parts[reload->prepared_count];

		if (part->prepare != NULL && part->prepare(part->context, reload->next->settings, failure) < 0)
			return -1;
	}
	return 0;
}

/* Everything that may fail. */
static int reload_prepare(struct reload *reload, struct failure *failure)
{
	struct agent *agent = reload->agent;
	uint32_t line_max = reload->next->mapping->limits.line;

	reload->old_line_max = agent->input_owner.line_max;
	/* Connections that begin from now on must do for the new rules as well as for the old ones. */
	if (line_max > agent->input_owner.line_max)
		agent->input_owner.line_max = line_max;
	if (reload_open_outputs(reload, failure) < 0 || reload_open_inputs(reload, failure) < 0)
		return -1;
	if (rules_start(reload->next) < 0)
		return failure_set(failure, "no memory for the new rules' tables");
	return reload_prepare_parts(reload, failure);
}

/* Back to where it was before reload_prepare(). */
static void reload_discard(struct reload *reload)
{
	const struct agent *agent = reload->agent;
	struct rules *next = reload->next;

	while (reload->prepared_count > 0) {
		const struct agent_part *part = &agent->parts[--reload->prepared_count];

		if (part->refused != NULL)
			part->refused(part->context);
	}
	for (size_t i = 0; i < next->settings->input_count; i++) {
		if (reload->inputs[i] != NULL && !reload->input_is_kept[i])
			input_discard(reload->inputs[i]);
	}
	for (size_t i = 0; i < next->settings->output_count; i++) {
		if (!reload->output_is_kept[i])
			output_free(reload->outputs[i]);
	}
	reload->agent->input_owner.line_max = reload->old_line_max;
}

static void reload_forget(struct reload *reload)
{
	event_del(reload->deadline);
	reload->next = NULL;
	reload->removed_count = 0;
	reload->prepared_count = 0;
	memset(reload->inputs, 0, sizeof reload->inputs);
	memset(reload->outputs, 0, sizeof reload->outputs);
	memset(reload->input_is_kept, 0, sizeof reload->input_is_kept);
	memset(reload->output_is_kept, 0, sizeof reload->output_is_kept);
}

/* ---- how it ended ---- */

static void reload_tell(struct reload *reload, enum reload_result result)
{
	struct agent_view *view = &reload->agent->view;

	view->reloads[result]++;
	view->last_reload_successful = result == RELOAD_SUCCESS;
	view->reload_faults = result == RELOAD_SUCCESS ? "" : reload->faults.text;
	notify_ready(result == RELOAD_SUCCESS ? "running on %s" : "a reload was refused; running on what %s said before",
	             reload->agent->rules->settings->origin);
}

static void reload_refuse(struct reload *reload)
{
	log_error("the configuration was not reloaded; nothing has changed");
	reload_tell(reload, RELOAD_FAILURE);
}

/* True where there are files that were not watched while they were read. */
static bool reload_watch_files(const struct reload *reload, const struct settings *also)
{
	const struct settings *settings[] = {reload->agent->rules->settings, also};

	watch_begin(reload->watch);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (settings[i] == NULL)
			continue;
		for (size_t k = 0; k < settings[i]->file_count; k++)
			watch_add_file(reload->watch, settings[i]->files[k]);
		for (size_t k = 0; k < settings[i]->glob_count; k++)
			watch_add_glob(reload->watch, settings[i]->globs[k]);
	}
	return watch_end(reload->watch);
}

/* ---- the swap ---- */

static void input_accounts_add(struct input_accounts *to, const struct input_accounts *from)
{
	to->received += from->received;
	to->kernel_drops += from->kernel_drops;
	to->refused += from->refused;
}

static void output_accounts_add(struct output_accounts *to, const struct output_accounts *from)
{
	to->sent += from->sent;
	to->dropped += from->dropped;
	to->filtered += from->filtered;
	to->sampled_out += from->sampled_out;
	to->bytes += from->bytes;
	to->datagrams += from->datagrams;
	for (size_t i = 0; i < OUTPUT_ERROR_COUNT; i++)
		to->errors[i] += from->errors[i];
}

/* Counters belong to names: what was counted under a name that stays goes on there. */
static void reload_move_input_accounts(struct rules *next, const struct rules *old)
{
	for (size_t i = 0; i < old->mapping->input_count; i++) {
		const struct input_accounts *from = &old->accounts.inputs[i];
		bool is_found = false;

		for (size_t k = 0; k < next->mapping->input_count && !is_found; k++) {
			is_found = span_equal(old->mapping->inputs[i].label, next->mapping->inputs[k].label);
			if (is_found)
				input_accounts_add(&next->accounts.inputs[k], from);
		}
		if (!is_found)
			next->accounts.removed_received += from->received;
	}
}

static void reload_move_output_accounts(struct rules *next, const struct rules *old)
{
	for (size_t i = 0; i < old->mapping->output_count; i++) {
		for (size_t k = 0; k < next->mapping->output_count; k++) {
			if (span_equal(old->mapping->outputs[i].label, next->mapping->outputs[k].label))
				output_accounts_add(&next->accounts.outputs[k], &old->accounts.outputs[i]);
		}
	}
}

/* What waits in an output counts under the output's present name. */
static void reload_balance_outputs(struct agent *agent)
{
	agent_refresh(agent);
	for (size_t i = 0; i < agent->output_count; i++) {
		struct output_accounts *accounts = &agent->rules->accounts.outputs[i];

		accounts->made = accounts->sent + accounts->dropped + accounts->filtered + accounts->sampled_out +
		                 accounts->pending;
	}
}

static void reload_close_removed(const struct reload *reload)
{
	for (size_t i = 0; i < reload->removed_count; i++) {
		struct input *input = reload->removed[i];

		if (!input->is_ended)
			log_warn("input %s: an output that blocks took nothing for shutdown_grace: what it still held is lost",
			         input->settings->label);
		else
			log_info("input %s is closed", input->settings->label);
		input_close(input);
	}
}

static void reload_swap_inputs(struct reload *reload)
{
	struct agent *agent = reload->agent;
	struct rules *next = reload->next;

	agent->input_count = 0;
	agent->ended_count = 0;
	for (size_t i = 0; i < next->settings->input_count; i++) {
		struct input *input = reload->inputs[i];

		if (input == NULL)
			continue;
		if (reload->input_is_kept[i])
			input_adopt(input, &next->settings->inputs[i], (uint16_t)i, &next->accounts.inputs[i]);
		else
			input_start(input);
		agent->inputs[agent->input_count++] = input;
		agent->ended_count += input->is_ended;
	}
}

static void reload_swap_outputs(struct reload *reload, struct rules *old)
{
	struct agent *agent = reload->agent;
	struct rules *next = reload->next;

	for (size_t i = 0; i < agent->output_count; i++) {
		if (!reload_keeps_output(reload, agent->outputs[i]))
			leaving_add(agent, agent->outputs[i], old);
	}
	for (size_t i = 0; i < next->settings->output_count; i++) {
		if (reload->output_is_kept[i])
			output_adopt(reload->outputs[i], &next->settings->outputs[i], &next->accounts.outputs[i]);
		else
			rules_warn_of_origin(&next->settings->outputs[i]);
		agent->outputs[i] = reload->outputs[i];
	}
	agent->output_count = next->settings->output_count;
}

static void reload_warn_of_sandbox(const struct settings *next, const struct settings *old)
{
	if (next->sandbox != old->sandbox)
		log_warn("sandbox: what has been given up cannot be taken back; this needs a restart");
}

static void reload_tell_parts(struct reload *reload)
{
	const struct agent *agent = reload->agent;

	for (size_t i = 0; i < agent->part_count; i++) {
		if (agent->parts[i].changed != NULL)
			agent->parts[i].changed(agent->parts[i].context);
	}
}

/* Nothing here can fail. */
static void reload_swap(struct reload *reload)
{
	struct agent *agent = reload->agent;
	struct rules *old = agent->rules;
	struct rules *next = reload->next;

	pacing_begin(agent);
	agent_refresh(agent);
	reload_close_removed(reload);
	(void)pacing_flush(agent);
	accounts_inherit(&next->accounts, next->mapping, &old->accounts, old->mapping);
	reload_move_input_accounts(next, old);
	reload_move_output_accounts(next, old);
	translator_inherit(next->translator, old->translator);
	reload_swap_inputs(reload);
	reload_swap_outputs(reload, old);
	agent->rules = next;
	agent->input_owner.translator = next->translator;
	agent->input_owner.line_max = next->mapping->limits.line;
	/* What the new lifecycles wait for may come sooner. */
	event_del(agent->moves);
	leaving_recount(agent);
	reload_balance_outputs(agent);
	log_configure(next->settings->log_level, next->settings->log_format);
	reload_warn_of_sandbox(next->settings, old->settings);
	rules_retire(old);
	reload_forget(reload);
	reload_tell_parts(reload);
}

static void reload_finish(struct reload *reload)
{
	struct agent *agent = reload->agent;
	const struct settings *settings;

	reload_swap(reload);
	settings = agent->rules->settings;
	(void)reload_watch_files(reload, NULL);
	reload_tell(reload, RELOAD_SUCCESS);
	log_info("reloaded: %zu of %zu inputs, %zu outputs, configuration %s", agent->input_count, settings->input_count,
	         agent->output_count, settings->origin);
	/* Where only inputs are left that have ended, nothing can come any more. */
	if (agent->ended_count == agent->input_count)
		stopping_begin_sending(agent);
	(void)pacing_flush(agent);
	if (reload->is_wanted)
		reload_load(reload, is_always_wanted);
}

/* ---- from the wish to the swap ---- */

static bool reload_has_drained(const struct reload *reload)
{
	for (size_t i = 0; i < reload->removed_count; i++) {
		if (!reload->removed[i]->is_ended)
			return false;
	}
	return true;
}

static void reload_on_swap(evutil_socket_t fd, short what, void *context)
{
	struct reload *reload = context;

	(void)fd;
	(void)what;
	if (reload->next != NULL && reload_has_drained(reload))
		reload_finish(reload);
}

static void reload_on_deadline(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	reload_finish(context);
}

/* In the middle of the input's turn. */
void reload_on_input_ended(struct agent *agent)
{
	event_active(agent->reload->swap, 0, 0);
}

static void reload_drain(struct reload *reload)
{
	struct agent *agent = reload->agent;
	int64_t grace_ns = agent->rules->settings->shutdown_grace_ns;
	struct timeval grace = {.tv_sec = grace_ns / NS_PER_S, .tv_usec = (suseconds_t)(grace_ns % NS_PER_S / 1000)};

	for (size_t i = 0; i < agent->input_count; i++) {
		if (!reload_keeps_input(reload, agent->inputs[i]))
			reload->removed[reload->removed_count++] = agent->inputs[i];
	}
	for (size_t i = 0; i < reload->removed_count; i++)
		input_drain(reload->removed[i]);
	if (reload_has_drained(reload)) {
		reload_finish(reload);
		return;
	}
	if (agent->is_blocked)
		log_warn("the reload waits, for shutdown_grace at most: an output that blocks has to take what removed inputs hold");
	event_add(reload->deadline, &grace);
}

/* NULL, with all faults noted, where the configuration is none. */
static struct rules *reload_build(struct reload *reload, struct settings *settings, struct problems *problems)
{
	struct agent *agent = reload->agent;
	/* Guards and entities are told apart by it: it stays. */
	struct hash_key key = agent->rules->mapping->hash_key;
	struct mapping *mapping = settings == NULL ? NULL : mapping_compile(&settings->model, &key, problems);
	struct rules *rules = NULL;

	if (problems->count == 0 && mapping != NULL) {
		rules = rules_new(agent, settings, mapping);
		if (rules == NULL)
			reload_faults_add(&reload->faults, "no memory for the new configuration");
		return rules;
	}
	problems_sort(problems);
	reload_faults_add_problems(&reload->faults, problems);
	mapping_free(mapping);
	settings_free(settings);
	return NULL;
}

static void reload_apply(struct reload *reload, struct settings *settings, struct problems *problems)
{
	struct failure failure;

	notify_reloading();
	reload->tried_digest = settings == NULL ? 0 : settings->digest;
	if (reload_watch_files(reload, settings))
		watch_wake(reload->watch);
	reload_faults_clear(&reload->faults);
	reload->next = reload_build(reload, settings, problems);
	if (reload->next == NULL) {
		reload_refuse(reload);
		return;
	}
	if (reload_prepare(reload, &failure) < 0) {
		struct rules *next = reload->next;

		reload_faults_add(&reload->faults, failure.text);
		reload_discard(reload);
		reload_forget(reload);
		rules_retire(next);
		reload_refuse(reload);
		return;
	}
	reload_drain(reload);
}

/* A pipe or a terminal that the configuration came from: reading it again could take for ever. */
static bool reload_can_read(struct reload *reload)
{
	const struct settings *settings = reload->agent->rules->settings;

	for (size_t i = 0; i < settings->file_count; i++) {
		char text[512];
		struct stat status;

		if (stat(settings->files[i], &status) < 0 || S_ISREG(status.st_mode))
			continue;
		snprintf(text, sizeof text, "%s is no regular file: it cannot be read again", settings->files[i]);
		reload_faults_clear(&reload->faults);
		reload_faults_add(&reload->faults, text);
		return false;
	}
	return true;
}

static void reload_load(struct reload *reload, reload_wish *is_wanted)
{
	struct agent *agent = reload->agent;
	struct problems problems = {.count = 0};
	struct settings *settings;

	reload->is_wanted = false;
	if (agent->phase != PHASE_RUNNING)
		return;
	if (reload->next != NULL) {
		reload->is_wanted = true;
		return;
	}
	if (!reload_can_read(reload)) {
		reload_refuse(reload);
		return;
	}
	settings = settings_load(agent->request, &problems);
	if (is_wanted(reload, settings)) {
		reload_apply(reload, settings, &problems);
	} else {
		if (reload_watch_files(reload, settings))
			watch_wake(reload->watch);
		settings_free(settings);
	}
	problems_fini(&problems);
}

static bool is_always_wanted(const struct reload *reload, const struct settings *settings)
{
	(void)reload;
	(void)settings;
	return true;
}

static bool is_other_content(const struct reload *reload, const struct settings *settings)
{
	return settings == NULL || settings->digest != reload->tried_digest;
}

void reload_on_signal(void *context)
{
	struct agent *agent = context;

	log_info("HUP: reloading %s", agent->rules->settings->origin);
	reload_load(agent->reload, is_always_wanted);
}

static void reload_on_changed(void *context)
{
	reload_load(context, is_other_content);
}

void reload_watch(struct agent *agent)
{
	/* The files were read before they were watched. */
	if (reload_watch_files(agent->reload, NULL))
		reload_load(agent->reload, is_other_content);
}

void reload_abandon(struct agent *agent)
{
	struct reload *reload = agent->reload;
	struct rules *next = reload->next;

	if (next == NULL)
		return;
	log_warn("the reload that was under way is given up");
	reload_discard(reload);
	reload_forget(reload);
	rules_retire(next);
}

void reload_free(struct reload *reload)
{
	if (reload == NULL)
		return;
	if (reload->next != NULL)
		reload_abandon(reload->agent);
	if (reload->swap != NULL)
		event_free(reload->swap);
	if (reload->deadline != NULL)
		event_free(reload->deadline);
	watch_free(reload->watch);
	free(reload);
}
