/* The whole way of bytes, for targets: rigs of several configurations, made once, and what must hold of whatever comes out. */
#ifndef STATSIDECAR_TESTS_FUZZ_PATH_H
#define STATSIDECAR_TESTS_FUZZ_PATH_H

#include "../property/wire_parser.h"
#include "../unit/rig.h"

/* A rig of a configuration's text (YAML, as agent/settings/ reads it); bit i of the answer: output i blocks. Ends the program
 * where it has faults. */
uint32_t path_init(struct rig *rig, const char *yaml);

/* Before each input: as if nothing had come yet. Outputs that block have no room: rig_read() gives them some. */
void path_reset(struct rig *rig, uint32_t blocking);

/* The accounts balance, and every line of every output is one of its dialect; that a name begins with `prefix` on outputs that
 * have none of their own (NULL: any). Sends what waits, and gives room to all. */
void path_check(struct rig *rig, enum wire_origin origin, const char *prefix);

/* Both counted and sent the same: after path_check() of both. */
void path_compare(struct rig *a, struct rig *b);

#endif
