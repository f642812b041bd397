/* A translator with everything around it, for tests: models in, bytes in, datagrams out as text. Ends the test where
 * the model cannot be compiled. Big: keep it static or on the heap. */
#ifndef STATSIDECAR_TESTS_RIG_H
#define STATSIDECAR_TESTS_RIG_H

#include "model_fixture.h"
#include "translate/trace.h"
#include "translate/translate.h"

/* What an output has taken. */
struct sink {
	char *text; /* its datagrams' lines, each with a newline behind it; NULL: only counted */
	size_t len, size;
	uint64_t datagrams, metrics, bytes;
	size_t longest; /* datagram */
	uint64_t room;  /* datagrams it takes yet, before it blocks */
	struct output_accounts *accounts;
	/* Looks at each datagram; may be NULL. */
	void (*look)(void *context, struct span datagram);
	void *context;
};

struct rig {
	struct model model;
	struct mapping *mapping;
	struct accounts accounts;
	struct packer packers[OUTPUTS_MAX];
	struct packer *packer_list[OUTPUTS_MAX];
	struct sink sinks[OUTPUTS_MAX];
	struct translator *translator;
	struct line_stream streams[INPUTS_MAX];
	/* What was told: `outcome:column why` and `tag limit`, a line each; cut where it is full. */
	char rejected[4096];
	char limited[1024];
};

/* model is filled by model_filled(). */
void rig_init(struct rig *rig, const struct model *model);
void rig_fini(struct rig *rig);
/* As it was after rig_init(), but that the mapping need not be compiled again. */
void rig_reset(struct rig *rig);

/* Bytes through a stream, size of them a read; the unfinished rest stays in it. Where an output blocks, it is given
 * room for one more datagram at a time. */
void rig_read(struct rig *rig, uint16_t input, struct span bytes, size_t size);
/* End of file: the rest counts. */
void rig_end(struct rig *rig, uint16_t input);
void rig_datagram(struct rig *rig, uint16_t input, struct span bytes);
/* Sends what waits; what the output has got so far, terminated by a NUL. */
const char *rig_output(struct rig *rig, uint16_t output);
/* What the events, a line each, become on output 0: the only call that most tests need. */
const char *rig_run(struct rig *rig, const char *events);

/* 0 where the accounts balance; else the difference is written into why. */
int rig_check_balance(const struct rig *rig, char *why, size_t size);

/* The problems of a model that cannot be compiled, as `line: text`, a line each, into out; empty where there are none.
 */
void rig_problems(const struct model *model, char *out, size_t size);

/* Numbers that look random and are the same for the same state. */
static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((*state >> 33) % bound);
}

/* bytes with everything that is no printable ASCII as \xNN, for messages; the longest is cut. */
const char *shown(struct span bytes);

#endif
