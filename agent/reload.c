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

#include "base/arena.h"
#include "clock.h"
#include "exchange.h"
#include "notify.h"
#include "reload_faults.h"
#include "watch.h"

struct reload {
	struct agent *agent;
	struct watch *watch;
	struct exchange exchange;
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
	reload->exchange.agent = agent;
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
	return agent->reload->exchange.next != NULL;
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

/* Before anything was tried. systemd takes READY for the answer only behind RELOADING. */
static void reload_refuse_at_once(struct reload *reload, const char *why)
{
	notify_reloading();
	reload_faults_clear(&reload->faults);
	reload_faults_add(&reload->faults, why);
	reload_refuse(reload);
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

static void reload_finish(struct reload *reload)
{
	struct agent *agent = reload->agent;
	const struct settings *settings;

	event_del(reload->deadline);
	exchange_swap(&reload->exchange);
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
	for (size_t i = 0; i < reload->exchange.removed_count; i++) {
		if (!reload->exchange.removed[i]->is_ended)
			return false;
	}
	return true;
}

static void reload_on_swap(evutil_socket_t fd, short what, void *context)
{
	struct reload *reload = context;

	(void)fd;
	(void)what;
	if (reload->exchange.next != NULL && reload_has_drained(reload))
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

	for (size_t i = 0; i < reload->exchange.removed_count; i++)
		input_drain(reload->exchange.removed[i]);
	if (reload_has_drained(reload)) {
		reload_finish(reload);
		return;
	}
	if (agent->is_blocked)
		log_warn("the reload waits, for shutdown_grace at most: an output that blocks has to take what removed inputs hold");
	event_add(reload->deadline, &grace);
}

/* What is built where memory may run out. */
struct attempt {
	struct agent *agent;
	struct settings *settings;
	struct mapping *mapping;
	struct problems *problems;
};

static void attempt_settings(void *context)
{
	struct attempt *attempt = context;

	attempt->settings = settings_load(attempt->agent->request, attempt->problems);
	problems_sort(attempt->problems);
}

static void attempt_mapping(void *context)
{
	struct attempt *attempt = context;
	/* Guards and entities are told apart by it: it stays. */
	struct hash_key key = attempt->agent->rules->mapping->hash_key;

	attempt->mapping = mapping_compile(&attempt->settings->model, &key, attempt->problems);
	problems_sort(attempt->problems);
}

/* NULL, with all faults noted, where the configuration is none. */
static struct rules *reload_build(struct reload *reload, struct settings *settings, struct problems *problems)
{
	struct agent *agent = reload->agent;
	struct attempt attempt = {agent, settings, NULL, problems};
	struct mapping *mapping;
	struct rules *rules = NULL;

	if (settings != NULL && !arena_attempt(attempt_mapping, &attempt)) {
		reload_faults_add(&reload->faults, "no memory for the new configuration");
		settings_free(settings);
		return NULL;
	}
	mapping = attempt.mapping;
	if (problems->count == 0 && mapping != NULL) {
		rules = rules_new(agent, settings, mapping);
		if (rules == NULL)
			reload_faults_add(&reload->faults, "no memory for the new configuration");
		return rules;
	}
	reload_faults_add_problems(&reload->faults, problems);
	mapping_free(mapping);
	settings_free(settings);
	return NULL;
}

static void reload_apply(struct reload *reload, struct settings *settings, struct problems *problems)
{
	struct failure failure;
	struct rules *next;

	notify_reloading();
	reload->tried_digest = settings == NULL ? 0 : settings->digest;
	if (reload_watch_files(reload, settings))
		watch_wake(reload->watch);
	reload_faults_clear(&reload->faults);
	next = reload_build(reload, settings, problems);
	if (next == NULL) {
		reload_refuse(reload);
		return;
	}
	if (exchange_prepare(&reload->exchange, next, &failure) < 0) {
		reload_faults_add(&reload->faults, failure.text);
		reload_refuse(reload);
		return;
	}
	reload_drain(reload);
}

/* NULL, or a file that is a pipe or a terminal: reading it again could take for ever. */
static const char *reload_find_unreadable(const struct reload *reload)
{
	const struct settings *settings = reload->agent->rules->settings;

	for (size_t i = 0; i < settings->file_count; i++) {
		struct stat status;

		if (stat(settings->files[i], &status) == 0 && !S_ISREG(status.st_mode))
			return settings->files[i];
	}
	return NULL;
}

static void reload_load(struct reload *reload, reload_wish *is_wanted)
{
	struct agent *agent = reload->agent;
	struct problems problems = {.count = 0};
	struct attempt attempt = {agent, NULL, NULL, &problems};
	struct settings *settings;
	const char *unreadable;
	char why[512];

	reload->is_wanted = false;
	if (agent->phase != PHASE_RUNNING)
		return;
	if (reload_is_under_way(agent)) {
		reload->is_wanted = true;
		return;
	}
	unreadable = reload_find_unreadable(reload);
	if (unreadable != NULL) {
		snprintf(why, sizeof why, "%s is no regular file: it cannot be read again", unreadable);
		reload_refuse_at_once(reload, why);
		return;
	}
	if (!arena_attempt(attempt_settings, &attempt)) {
		reload_refuse_at_once(reload, "no memory for the new configuration");
		problems_fini(&problems);
		return;
	}
	settings = attempt.settings;
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

	if (!reload_is_under_way(agent))
		return;
	log_warn("the reload that was under way is given up");
	event_del(reload->deadline);
	exchange_discard(&reload->exchange);
}

void reload_free(struct reload *reload)
{
	if (reload == NULL)
		return;
	if (reload->exchange.next != NULL)
		exchange_discard(&reload->exchange);
	if (reload->swap != NULL)
		event_free(reload->swap);
	if (reload->deadline != NULL)
		event_free(reload->deadline);
	watch_free(reload->watch);
	free(reload);
}
