/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(): libFuzzer and AFL++ call it with what they
 * think up, driver.c with the files of its corpus. It returns where all is well and ends by fuzz_fail() where it is not. What
 * it keeps between two inputs must not change what the next one does: a finding has to come back from its file alone. */
#ifndef STATSIDECAR_TESTS_FUZZ_H
#define STATSIDECAR_TESTS_FUZZ_H

#include <stdint.h>

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is wrong and aborts, which is what fuzzers look for. */
_Noreturn void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An input, taken apart from its front on: its next byte (0 behind its end), what stands before `end`, which is taken too. */
uint8_t fuzz_byte(struct span *input);
struct span fuzz_until(struct span *input, char end);

/* A copy on the heap, pad zeroed bytes before and behind it and nothing else, so that the sanitizers see one that is read or
 * written beyond. at stands behind the first pad; freed by fuzz_free(). Ends the program without memory. */
char *fuzz_copy(struct span text, size_t pad);
void fuzz_free(char *at, size_t pad);

#endif
